/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache of small sets: bounded memory and no list to keep. More busy owners than a set has room for cost
 * some time, nothing else.
 */
#include "label.h"
#include "block.h"

#include <string.h>

#define SETS 256u
#define SET_SLOTS 4u
/* Processes remembered by their index. Beyond it all are forgotten; one that goes on gets a new block. */
#define PROCESSES_MAX 65536u

struct label_key {
    struct ec_owner owner, peer; /* zero if not known */
    uint32_t direction;
    uint32_t kind; /* EC_LABEL_… */
};
_Static_assert(sizeof(struct label_key) == 2 * sizeof(struct ec_owner) + 8, "hashed and compared as bytes");

struct label_slot {
    struct label_key key;
    struct ec_label label; /* without a block: unused */
};

struct label_set {
    struct label_slot slots[SET_SLOTS];
    unsigned next; /* to be overwritten */
};

struct process_key {
    uint32_t pid;
    char comm[EC_COMM_LEN + 1];
};

struct ec_label_cache {
    bool comments;
    GHashTable *processes; /* struct process_key to index; NULL: don't name them so */
    uint32_t n_processes;  /* blocks written in this section */
    struct label_set sets[SETS];
};

void ec_label_format(const struct ec_owner *owner, enum ec_label_end end, char text[static EC_LABEL_TEXT_LEN])
{
    static const char *const ends[] = {"", " end=src", " end=dst"};
    char comm[4 * EC_COMM_LEN + 1];
    char *at = comm;

    for (size_t i = 0; i < EC_COMM_LEN && owner->comm[i]; i++) {
        unsigned char byte = (unsigned char)owner->comm[i];

        if (byte > 0x20 && byte < 0x7f && byte != '\\')
            *at++ = (char)byte;
        else
            at += g_snprintf(at, 5, "\\x%02x", byte);
    }
    *at = '\0';
    g_snprintf(text, EC_LABEL_TEXT_LEN, "pid=%u tid=%u comm=%s uid=%u%s", owner->pid, owner->tid, comm, owner->uid,
               ends[end]);
}

void ec_label_init_message(struct ec_label *label, const struct ec_owner *owner, enum ec_direction direction,
                           bool comments, const char *remark)
{
    GByteArray *options = g_byte_array_new();
    g_autofree char *comment = NULL;
    char process[EC_LABEL_TEXT_LEN];

    if (comments) {
        ec_label_format(owner, EC_LABEL_END_UNSAID, process);
        comment = g_strconcat(process, " ", remark, NULL);
    }
    ec_block_append_packet_options(options, comment, direction, owner->pid, owner->tid);
    *label = (struct ec_label){.options = g_byte_array_free_to_bytes(options)};
}

static guint process_hash(gconstpointer key)
{
    const struct process_key *process = key;

    return process->pid ^ g_str_hash(process->comm);
}

static gboolean process_equal(gconstpointer a, gconstpointer b)
{
    const struct process_key *left = a, *right = b;

    return left->pid == right->pid && strcmp(left->comm, right->comm) == 0;
}

ec_label_cache *ec_label_cache_new(bool comments, bool processes)
{
    ec_label_cache *cache = g_new0(ec_label_cache, 1);

    cache->comments = comments;
    if (processes)
        cache->processes = g_hash_table_new_full(process_hash, process_equal, g_free, NULL);
    return cache;
}

void ec_label_clear(struct ec_label *label)
{
    if (label->block)
        wtap_block_unref(label->block);
    g_clear_pointer(&label->options, g_bytes_unref);
}

void ec_label_cache_free(ec_label_cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < SETS * SET_SLOTS; i++)
        ec_label_clear(&cache->sets[i / SET_SLOTS].slots[i % SET_SLOTS].label);
    if (cache->processes)
        g_hash_table_unref(cache->processes);
    g_free(cache);
}

/* The index of the owner's process block, which is appended to `blocks` if it is new. */
static uint32_t process_get(ec_label_cache *cache, const struct ec_owner *owner, GByteArray *blocks)
{
    struct process_key key = {.pid = owner->pid};
    gpointer index;

    memcpy(key.comm, owner->comm, EC_COMM_LEN);
    if (g_hash_table_lookup_extended(cache->processes, &key, NULL, &index))
        return GPOINTER_TO_UINT(index);
    if (g_hash_table_size(cache->processes) >= PROCESSES_MAX)
        g_hash_table_remove_all(cache->processes);
    g_hash_table_insert(cache->processes, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(cache->n_processes));
    ec_block_append_process(blocks, owner->pid, key.comm);
    return cache->n_processes++;
}

static void label_add_comment(wtap_block_t block, const struct ec_owner *owner, enum ec_label_end end, uint32_t kind)
{
    char text[EC_LABEL_TEXT_LEN + sizeof(" plaintext server_port=65535")];

    ec_label_format(owner, end, text);
    if (kind & EC_LABEL_PLAINTEXT)
        g_snprintf(text + strlen(text), sizeof(text) - strlen(text), " plaintext %s_port=%u",
                   kind & EC_LABEL_CLIENT_PORT ? "client" : "server", kind & 0xffff);
    wtap_block_add_string_option(block, OPT_COMMENT, text, strlen(text));
}

static wtap_block_t label_build(ec_label_cache *cache, const struct label_key *key, GByteArray *blocks)
{
    wtap_block_t block = wtap_block_create(WTAP_BLOCK_PACKET);
    bool owner = key->owner.flags, peer = key->peer.flags;
    const struct ec_owner *first = owner ? &key->owner : &key->peer;
    bool ends = key->kind & EC_LABEL_LOOPBACK;

    if (cache->comments && owner)
        label_add_comment(block, &key->owner, ends ? EC_LABEL_END_SRC : EC_LABEL_END_UNSAID, key->kind);
    if (cache->comments && peer)
        label_add_comment(block, &key->peer, ends ? EC_LABEL_END_DST : EC_LABEL_END_UNSAID, key->kind);
    if (key->direction)
        wtap_block_add_uint32_option(block, OPT_PKT_FLAGS, key->direction);
    if (owner || peer) {
        wtap_block_add_uint64_option(block, EC_PACKET_OPTION_CARRIER_8,
                                     ec_block_process_thread(first->pid, first->tid));
        if (cache->processes)
            wtap_block_add_uint32_option(block, EC_PACKET_OPTION_CARRIER_4, process_get(cache, first, blocks));
    }
    return block;
}

static void key_set(struct ec_owner *key, const struct ec_owner *owner)
{
    if (!owner || !(owner->flags & EC_OWNER_KNOWN))
        return;
    *key = *owner;
    key->flags = EC_OWNER_KNOWN;
}

/* The set for a key, by what differs between most; the names follow from it. Multiplied by the golden ratio: Knuth,
 * TAOCP 6.4. */
static uint32_t key_hash(const struct label_key *key)
{
    uint32_t words[] = {key->owner.tid, key->peer.tid, key->owner.pid, key->peer.pid, key->direction, key->kind};
    uint32_t hash = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        hash = (hash ^ words[i]) * 2654435769u;
    return (hash >> 16) % SETS;
}

struct ec_label *ec_label_cache_get(ec_label_cache *cache, const struct ec_sink_packet *packet, uint32_t kind,
                                    GByteArray *blocks)
{
    struct label_key key = {.direction = packet->direction, .kind = kind | (packet->loopback ? EC_LABEL_LOOPBACK : 0)};
    struct label_slot *slot;
    struct label_set *set;

    key_set(&key.owner, packet->owner);
    key_set(&key.peer, packet->peer);
    set = &cache->sets[key_hash(&key)];
    for (slot = set->slots; slot < set->slots + SET_SLOTS; slot++)
        if (slot->label.block && memcmp(&slot->key, &key, sizeof(key)) == 0)
            return &slot->label;
    slot = &set->slots[set->next++ % SET_SLOTS];
    ec_label_clear(&slot->label);
    slot->key = key;
    slot->label.block = label_build(cache, &key, blocks);
    return &slot->label;
}
