/* Devices and what they may be used for: --device, --device-cgroup-rule, --blkio-weight-device,
 * --device-read-bps and its kin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/run_options.h"
#include "cli/values.h"

static bool valid_permissions(const char *text)
{
    return *text && strspn(text, "rwm") == strlen(text);
}

/* HOST, HOST:CONTAINER, HOST:rwm, HOST:CONTAINER:rwm */
static int add_device(const char *spec, json_t *list, struct err *err)
{
    cleanup_strv struct strv parts = {0};
    const char *inside, *permissions = "rwm";
    json_t *device;

    strv_split(&parts, spec, ':');
    if (!parts.len || parts.len > 3)
        return err_set(err, EINVAL, "bad format for path: %s", spec);
    if (*parts.items[0] != '/')
        return err_set(err, EINVAL, "%s is not an absolute path", parts.items[0]);
    inside = parts.items[0];
    if (parts.len == 2 && valid_permissions(parts.items[1]))
        permissions = parts.items[1];
    else if (parts.len > 1 && *parts.items[1])
        inside = parts.items[1];
    if (parts.len == 3)
        permissions = parts.items[2];
    if (!valid_permissions(permissions))
        return err_set(err, EINVAL, "bad mode specified: %s", permissions);
    if (*inside != '/')
        return err_set(err, EINVAL, "%s is not an absolute path", inside);
    device = json_object();
    json_put_str(device, "PathOnHost", parts.items[0]);
    json_put_str(device, "PathInContainer", inside);
    json_put_str(device, "CgroupPermissions", permissions);
    json_push(list, device);
    return 0;
}

/* "/dev/sda:100": everything before the last colon is the path. */
static const char *split_device(const char *value, size_t *ret_len)
{
    const char *colon = strrchr(value, ':');

    *ret_len = colon ? (size_t)(colon - value) : 0;
    return colon && colon > value ? colon + 1 : NULL;
}

static int check_device(const char *value, const char **ret_rest, struct err *err)
{
    size_t len;

    *ret_rest = split_device(value, &len);
    if (!*ret_rest || strchr(value, ':') != *ret_rest - 1)
        return err_set(err, EINVAL, "bad format: %s", value);
    if (!str_starts(value, "/dev/"))
        return err_set(err, EINVAL, "bad format for device path: %s", value);
    return 0;
}

int value_check_weight_device(const char *value, struct err *err)
{
    const char *rest;
    unsigned long long weight;

    if (check_device(value, &rest, err) < 0)
        return -err->code;
    if (str_to_u64(rest, &weight) < 0 || (weight && (weight < 10 || weight > 1000)))
        return err_set(err, EINVAL, "invalid weight for device: %s", value);
    return 0;
}

int value_check_bps_device(const char *value, struct err *err)
{
    struct err unused = {0};
    const char *rest;
    int64_t rate;

    if (check_device(value, &rest, err) < 0)
        return -err->code;
    if (value_parse_bytes(rest, &rate, &unused) < 0)
        return err_set(err, EINVAL,
                       "invalid rate for device: %s. The correct format is "
                       "<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is "
                       "optional and can be kb, mb, or gb",
                       value);
    return 0;
}

int value_check_iops_device(const char *value, struct err *err)
{
    const char *rest;
    unsigned long long rate;

    if (check_device(value, &rest, err) < 0)
        return -err->code;
    if (str_to_u64(rest, &rate) < 0)
        return err_set(err, EINVAL,
                       "invalid rate for device: %s. The correct format is "
                       "<device-path>:<number>. Number must be a positive integer",
                       value);
    return 0;
}

/* "c 10:* rw" */
int value_check_device_rule(const char *value, struct err *err)
{
    char type, access[4];
    int major = 0, minor = 0, end = 0;
    char major_text[12], minor_text[12];

    (void)major;
    (void)minor;
    if (sscanf(value, "%c %11[0-9*]:%11[0-9*] %3[rwm]%n", &type, major_text, minor_text, access,
               &end) != 4 ||
        value[end] || !strchr("acb", type) || (strchr(major_text, '*') && major_text[1]) ||
        (strchr(minor_text, '*') && minor_text[1]))
        return err_set(err, EINVAL, "invalid device cgroup format '%s'", value);
    return 0;
}

static const struct {
    const char *flag, *member, *number;
    bool bytes;
} rates[] = {
    {"blkio-weight-device", "BlkioWeightDevice", "Weight", false},
    {"device-read-bps", "BlkioDeviceReadBps", "Rate", true},
    {"device-write-bps", "BlkioDeviceWriteBps", "Rate", true},
    {"device-read-iops", "BlkioDeviceReadIOps", "Rate", false},
    {"device-write-iops", "BlkioDeviceWriteIOps", "Rate", false},
};

static json_t *rate_of(const char *value, const char *number, bool bytes)
{
    json_t *device = json_object();
    struct err unused = {0};
    int64_t rate = 0;
    size_t len;
    const char *rest = split_device(value, &len);
    cleanup_free char *path = str_copy_n(value, len);

    if (bytes)
        value_parse_bytes(rest, &rate, &unused);
    else
        rate = atoll(rest);
    json_put_str(device, "Path", path);
    json_put(device, number, json_integer(rate));
    return device;
}

static void put_rates(const struct options *o, json_t *host)
{
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const struct strv *given = options_list(o, rates[i].flag);
        json_t *list = json_array();

        for (size_t k = 0; k < given->len; k++)
            json_push(list, rate_of(given->items[k], rates[i].number, rates[i].bytes));
        json_put(host, rates[i].member, list);
    }
}

int run_devices_build(const struct options *o, json_t *host, struct err *err)
{
    const struct strv *devices = options_list(o, "device"),
                      *rules = options_list(o, "device-cgroup-rule");
    json_t *list = json_array();

    json_put(host, "Devices", list);
    for (size_t i = 0; i < devices->len; i++)
        if (add_device(devices->items[i], list, err) < 0)
            return -err->code;
    json_put(host, "DeviceCgroupRules", rules->len ? json_from_strings(rules) : json_null());
    put_rates(o, host);
    return 0;
}
