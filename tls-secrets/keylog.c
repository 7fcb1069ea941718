/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keylog.h"

#include <string.h>

/* draft-ietf-tls-keylogfile, section 2.1 and 2.2 */
static const char *const label_names[] = {
    [EC_LABEL_CLIENT_RANDOM] = "CLIENT_RANDOM",
    [EC_LABEL_CLIENT_EARLY] = "CLIENT_EARLY_TRAFFIC_SECRET",
    [EC_LABEL_CLIENT_HANDSHAKE] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    [EC_LABEL_SERVER_HANDSHAKE] = "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    [EC_LABEL_CLIENT_TRAFFIC_0] = "CLIENT_TRAFFIC_SECRET_0",
    [EC_LABEL_SERVER_TRAFFIC_0] = "SERVER_TRAFFIC_SECRET_0",
    [EC_LABEL_EXPORTER] = "EXPORTER_SECRET",
    [EC_LABEL_EARLY_EXPORTER] = "EARLY_EXPORTER_SECRET",
};
_Static_assert(G_N_ELEMENTS(label_names) == EC_LABEL_MAX, "a name for every label");

enum ec_secret_label ec_secret_label_parse(const char *label)
{
    for (int i = 0; i < EC_LABEL_MAX; i++)
        if (strcmp(label, label_names[i]) == 0)
            return i;
    return EC_LABEL_MAX;
}

const char *ec_secret_label_get_name(enum ec_secret_label label)
{
    g_return_val_if_fail((unsigned)label < EC_LABEL_MAX, "");
    return label_names[label];
}

static char *hex_format(char *to, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

size_t ec_keylog_line_format(const struct ec_secret *secret, char line[static EC_KEYLOG_LINE_LEN])
{
    size_t label_len = strnlen(secret->label, sizeof(secret->label) - 1);
    char *end = line + label_len;
    memcpy(line, secret->label, label_len);
    *end++ = ' ';
    end = hex_format(end, secret->client_random, EC_RANDOM_LEN);
    *end++ = ' ';
    end = hex_format(end, secret->secret, MIN(secret->secret_len, EC_SECRET_LEN));
    *end++ = '\n';
    *end = '\0';
    return end - line;
}

/* Reads hex digits up to the first other byte; the number of bytes, or 0 for none, an odd digit or too many. */
static size_t hex_parse(const char *from, const char *end, uint8_t *ret_bytes, size_t max)
{
    size_t digits = 0;
    for (; from + digits < end && g_ascii_isxdigit(from[digits]); digits++) {
        if (digits / 2 == max)
            return 0;
        int value = g_ascii_xdigit_value(from[digits]);
        ret_bytes[digits / 2] = digits % 2 ? ret_bytes[digits / 2] | value : value << 4;
    }
    return digits % 2 ? 0 : digits / 2;
}

static bool label_read(const char *line, size_t len, struct ec_secret *secret)
{
    if (len >= sizeof(secret->label) || memchr(line, '\0', len))
        return false;
    memcpy(secret->label, line, len);
    return ec_secret_label_parse(secret->label) != EC_LABEL_MAX;
}

bool ec_keylog_line_parse(const char *line, size_t len, struct ec_secret *ret_secret)
{
    const char *end = line + len;
    if (end > line && end[-1] == '\n')
        end--;
    if (end > line && end[-1] == '\r')
        end--;

    struct ec_secret secret = {};
    const char *space = memchr(line, ' ', end - line);
    if (!space || !label_read(line, space - line, &secret))
        return false;
    const char *random = space + 1;
    if (hex_parse(random, end, secret.client_random, EC_RANDOM_LEN) != EC_RANDOM_LEN)
        return false;
    const char *value = random + 2 * EC_RANDOM_LEN;
    if (value == end || *value++ != ' ')
        return false;
    secret.secret_len = hex_parse(value, end, secret.secret, EC_SECRET_LEN);
    if (secret.secret_len == 0 || value + 2 * secret.secret_len != end)
        return false;
    *ret_secret = secret;
    return true;
}

/* A ring of keys in the order of arrival, each also in a hash table that points into the ring. */
struct secret_key {
    uint8_t client_random[EC_RANDOM_LEN];
    uint8_t label;
};

struct ec_secret_set {
    GHashTable *keys;
    size_t capacity;
    size_t count;
    size_t oldest;
    struct secret_key ring[];
};

/* FNV-1a over all bytes: a server's or client's random may be poor or hostile in any single part. */
static guint key_hash(gconstpointer data)
{
    const uint8_t *bytes = data;
    guint32 hash = 2166136261u;
    for (size_t i = 0; i < sizeof(struct secret_key); i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct secret_key)) == 0;
}

struct ec_secret_set *ec_secret_set_new(size_t capacity)
{
    g_return_val_if_fail(capacity > 0, NULL);
    struct ec_secret_set *set = g_malloc0(sizeof(*set) + capacity * sizeof(set->ring[0]));
    set->capacity = capacity;
    set->keys = g_hash_table_new(key_hash, key_equal);
    return set;
}

void ec_secret_set_free(struct ec_secret_set *set)
{
    if (!set)
        return;
    g_hash_table_unref(set->keys);
    g_free(set);
}

bool ec_secret_set_add(struct ec_secret_set *set, enum ec_secret_label label,
                       const uint8_t client_random[static EC_RANDOM_LEN])
{
    struct secret_key key = {.label = label};
    memcpy(key.client_random, client_random, EC_RANDOM_LEN);
    if (g_hash_table_contains(set->keys, &key))
        return false;

    struct secret_key *slot = &set->ring[set->oldest];
    if (set->count == set->capacity)
        g_hash_table_remove(set->keys, slot);
    else
        set->count++;
    *slot = key;
    g_hash_table_add(set->keys, slot);
    set->oldest = (set->oldest + 1) % set->capacity;
    return true;
}
