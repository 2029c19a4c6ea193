#include "engine/internal.h"

#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"

/* A cooper's words for the look of things, and people to whom containers, kernels and craft owe
 * something. */
static const char *const adjectives[] = {
    "airtight", "amber",   "ample",  "artful",  "balanced", "bold",    "bound",   "brave",
    "bright",   "brisk",   "calm",   "careful", "cheerful", "clear",   "clever",  "compact",
    "cosy",     "curious", "deft",   "eager",   "earnest",  "elastic", "fair",    "festive",
    "firm",     "fluent",  "frosty", "gentle",  "glad",     "golden",  "hearty",  "honest",
    "hooped",   "humble",  "jolly",  "keen",    "kind",     "light",   "lively",  "lucid",
    "mellow",   "merry",   "modest", "neat",    "nimble",   "oaken",   "patient", "plain",
    "polished", "proud",   "quick",  "quiet",   "ready",    "robust",  "round",   "rustic",
    "sealed",   "serene",  "sharp",  "silent",  "smooth",   "snug",    "solid",   "sound",
    "spry",     "stable",  "steady", "stout",   "sturdy",   "sunny",   "supple",  "swift",
    "thrifty",  "tidy",    "trim",   "trusty",  "upright",  "vivid",   "warm",    "watchful",
    "willing",  "wise",    "witty",  "zesty"};
static const char *const surnames[] = {
    "allen",      "babbage",   "backus",   "bartik",  "bell",      "biederman", "boole",
    "bourne",     "brooks",    "carver",   "cerf",    "church",    "clarke",    "codd",
    "conway",     "corbato",   "cray",     "curie",   "dahl",      "daley",     "darwin",
    "diffie",     "dijkstra",  "easley",   "eckert",  "engelbart", "euler",     "faraday",
    "feynman",    "floyd",     "franklin", "galois",  "gauss",     "germain",   "goedel",
    "goldberg",   "granville", "hamilton", "hamming", "hellman",   "hoare",     "holberton",
    "hopper",     "huffman",   "hypatia",  "ingalls", "jennings",  "johnson",   "joy",
    "kahn",       "karnaugh",  "kay",      "keller",  "kernighan", "kleene",    "knuth",
    "kolmogorov", "lamarr",    "lamport",  "lampson", "liskov",    "lovelace",  "matsumoto",
    "mauchly",    "mcbride",   "mccarthy", "mcilroy", "meitner",   "merkle",    "milner",
    "minsky",     "naur",      "neumann",  "newell",  "noether",   "ossanna",   "pascal",
    "perlman",    "perlis",    "pike",     "postel",  "ritchie",   "rivest",    "roberts",
    "saltzer",    "schneider", "shannon",  "shaw",    "simon",     "sinclair",  "stallman",
    "strachey",   "tanenbaum", "tarjan",   "tharp",   "thompson",  "torvalds",  "turing",
    "vaughan",    "wilkes",    "wilson",   "wing",    "wirth",     "zuse"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static unsigned random_below(size_t n)
{
    unsigned value = 0;

    if (getrandom(&value, sizeof value, 0) != sizeof value)
        value = (unsigned)getpid();
    return (unsigned)(value % n);
}

char *name_generate(struct store *store)
{
    char *name = NULL;

    for (int attempt = 0;; attempt++) {
        free(name);
        name = str_format("%s_%s", adjectives[random_below(COUNT(adjectives))],
                          surnames[random_below(COUNT(surnames))]);
        if (attempt > 3) {
            char *longer = str_format("%s%u", name, random_below(attempt > 20 ? 1000000 : 10));

            free(name);
            name = longer;
        }
        if (!store_name_taken(store, name))
            return name;
    }
}

bool name_valid(const char *name)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t n = strlen(name);

    return n >= 2 && n <= 255 && strchr(first, *name) && strspn(name, rest) == n;
}
