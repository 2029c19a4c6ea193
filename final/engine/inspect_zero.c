/* The members that docker's inspect shows for everybody, with the value of "not asked for". A
 * record holds only what was said, and a template such as {{.HostConfig.Dns}} fails on a member
 * that is absent; so each section is laid over its zero, which also gives it docker's order. Docker
 * leaves out a few when they are empty (ExposedPorts, Healthcheck, StopSignal, a bind mount's
 * Name): its templates know the types and work all the same, ours only know the document. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

static const struct {
    const char *section, *zero;
} zeros[] = {
    {"Config",
     "{'Hostname':'','Domainname':'','User':'','AttachStdin':false,'AttachStdout':false,"
     "'AttachStderr':false,'ExposedPorts':null,'Tty':false,'OpenStdin':false,'StdinOnce':false,"
     "'Env':null,'Cmd':null,'Healthcheck':null,'Image':'','Volumes':null,'WorkingDir':'',"
     "'Entrypoint':null,'OnBuild':null,'Labels':null,'StopSignal':''}"},
    {"HostConfig",
     "{'Binds':null,'ContainerIDFile':'','LogConfig':null,'NetworkMode':'','PortBindings':{},"
     "'RestartPolicy':null,'AutoRemove':false,'VolumeDriver':'','VolumesFrom':null,"
     "'ConsoleSize':[0,0],'CapAdd':null,'CapDrop':null,'CgroupnsMode':'private','Dns':[],"
     "'DnsOptions':[],'DnsSearch':[],'ExtraHosts':null,'GroupAdd':null,'IpcMode':'private',"
     "'Cgroup':'','Links':null,'OomScoreAdj':0,'PidMode':'','Privileged':false,"
     "'PublishAllPorts':false,'ReadonlyRootfs':false,'SecurityOpt':null,'Tmpfs':null,'UTSMode':'',"
     "'UsernsMode':'','ShmSize':0,'Sysctls':null,'Runtime':'cooper','Isolation':'','CpuShares':0,"
     "'Memory':0,'NanoCpus':0,'CgroupParent':'','CpuPeriod':0,'CpuQuota':0,'CpusetCpus':'',"
     "'CpusetMems':'','Devices':[],'DeviceCgroupRules':null,'DeviceRequests':null,"
     "'MemoryReservation':0,'MemorySwap':0,'MemorySwappiness':null,'OomKillDisable':false,"
     "'PidsLimit':null,'Ulimits':null,'Mounts':null,'Init':null}"},
    {"NetworkSettings",
     "{'Bridge':'','SandboxID':'','SandboxKey':'','Ports':{},'HairpinMode':false,'EndpointID':'',"
     "'Gateway':'','GlobalIPv6Address':'','GlobalIPv6PrefixLen':0,'IPAddress':'','IPPrefixLen':0,"
     "'IPv6Gateway':'','MacAddress':'','Networks':{}}"},
    {"Mount", "{'Type':'','Name':'','Source':'','Destination':'','Driver':'','Mode':'','RW':true,"
              "'Propagation':''}"},
    {"Endpoint", "{'IPAMConfig':null,'Links':null,'Aliases':null,'DriverOpts':null,'GwPriority':0,'"
                 "NetworkID':'',"
                 "'EndpointID':'','Gateway':'','IPAddress':'','IPPrefixLen':0,'IPv6Gateway':'',"
                 "'GlobalIPv6Address':'','GlobalIPv6PrefixLen':0,'MacAddress':'','DNSNames':null}"},
};

/* JSON with ' for ": every other character of the table stands for itself. */
static json_t *parse_zero(const char *zero)
{
    cleanup_free char *text = str_copy(zero);
    struct err unused = {0};

    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    return json_parse(text, strlen(text), "the table of inspect's members", &unused);
}

json_t *inspect_complete(const char *section, json_t *given)
{
    json_t *whole = NULL;

    for (size_t i = 0; i < sizeof zeros / sizeof *zeros && !whole; i++)
        if (!strcmp(zeros[i].section, section))
            whole = parse_zero(zeros[i].zero);
    json_object_update(whole, given);
    return whole;
}
