/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "block.h"

#include <string.h>

/* TLS Key Log, draft-ietf-opsawg-pcapng, Decryption Secrets Block */
#define SECRETS_TYPE_TLS 0x544c534bu

enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_PROCESS_NAME = 2, OPTION_PACKET_FLAGS = 2 };
enum statistics_option {
    OPTION_START = 2,
    OPTION_END_TIME = 3,
    OPTION_RECEIVED = 4,
    OPTION_INTERFACE_DROPPED = 5,
    OPTION_FILTER_ACCEPTED = 6,
    OPTION_SYSTEM_DROPPED = 7,
    OPTION_DELIVERED = 8,
};

struct block_header {
    uint32_t type;
    uint32_t total_len; /* with header and the repeated length at the end */
};

struct packet_block {
    struct block_header header;
    uint32_t interface, time_high, time_low, caplen, len;
};
_Static_assert(sizeof(struct packet_block) == 28, "pcapng");

struct option_header {
    uint16_t code;
    uint16_t len; /* of the value, without its padding to 4 bytes */
};

/* Block type, total length, repeated length. */
#define BLOCK_LEN_MIN 12u

static size_t pad4(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

/* The length of the block that `data` begins with; 0 if it is cut off or malformed. */
static size_t block_get_len(const uint8_t *data, size_t len)
{
    struct block_header header;
    uint32_t trailer;

    if (len < BLOCK_LEN_MIN)
        return 0;
    memcpy(&header, data, sizeof(header));
    if (header.total_len < BLOCK_LEN_MIN || header.total_len % 4 || header.total_len > len)
        return 0;
    memcpy(&trailer, data + header.total_len - sizeof(trailer), sizeof(trailer));
    return trailer == header.total_len ? header.total_len : 0;
}

size_t ec_block_whole(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t whole = 0;

    for (size_t block; (block = block_get_len(bytes + whole, len - whole)); whole += block)
        ;
    return whole;
}

static uint16_t packet_option_rename(const struct option_header *option)
{
    if (option->code == EC_PACKET_OPTION_CARRIER_8 && option->len == 8)
        return EC_PACKET_OPTION_PROCESS_THREAD;
    if (option->code == EC_PACKET_OPTION_CARRIER_4 && option->len == 4)
        return EC_PACKET_OPTION_DARWIN_PROCESS;
    return option->code;
}

/* `options` begins behind the packet's data and ends before the repeated length. */
static bool packet_options_patch(uint8_t *options, size_t len)
{
    struct option_header option;

    for (size_t at = 0; len - at >= sizeof(option); at += sizeof(option) + pad4(option.len)) {
        memcpy(&option, options + at, sizeof(option));
        if (option.code == OPTION_END)
            return true;
        if (pad4(option.len) > len - at - sizeof(option))
            return false;
        option.code = packet_option_rename(&option);
        memcpy(options + at, &option.code, sizeof(option.code));
    }
    return true;
}

/* Where the options of a packet block of `len` bytes begin: they end before the repeated length. 0: malformed. */
static size_t packet_block_get_options(const uint8_t *block, size_t len)
{
    struct packet_block packet;
    size_t end = len - sizeof(uint32_t);
    size_t options;

    if (end < sizeof(packet))
        return 0;
    memcpy(&packet, block, sizeof(packet));
    if (packet.caplen > end - sizeof(packet))
        return 0;
    options = sizeof(packet) + pad4(packet.caplen);
    return options <= end ? options : 0;
}

static bool packet_block_patch(uint8_t *block, size_t len)
{
    size_t options = packet_block_get_options(block, len);

    return options && packet_options_patch(block + options, len - sizeof(uint32_t) - options);
}

bool ec_block_patch(uint8_t *data, size_t len)
{
    for (size_t at = 0, block; at < len; at += block) {
        struct block_header header;

        block = block_get_len(data + at, len - at);
        if (!block)
            return false;
        memcpy(&header, data + at, sizeof(header));
        if (header.type == EC_BLOCK_ENHANCED_PACKET && !packet_block_patch(data + at, block))
            return false;
    }
    return true;
}

const uint8_t *ec_block_get_packet_options(const uint8_t *data, size_t len, size_t *ret_len)
{
    struct block_header header;
    size_t options;

    if (block_get_len(data, len) != len || !len)
        return NULL;
    memcpy(&header, data, sizeof(header));
    options = header.type == EC_BLOCK_ENHANCED_PACKET ? packet_block_get_options(data, len) : 0;
    if (!options)
        return NULL;
    *ret_len = len - sizeof(header.total_len) - options;
    return data + options;
}

size_t ec_block_packet_len(uint32_t caplen, size_t options_len)
{
    return sizeof(struct packet_block) + pad4(caplen) + options_len + sizeof(uint32_t);
}

size_t ec_block_write_packet(uint8_t *to, const struct ec_sink_packet *packet, uint32_t caplen, const uint8_t *options,
                             size_t options_len)
{
    const struct packet_block head = {
        .header = {EC_BLOCK_ENHANCED_PACKET, (uint32_t)ec_block_packet_len(caplen, options_len)},
        .interface = packet->interface,
        .time_high = (uint32_t)(packet->time >> 32),
        .time_low = (uint32_t)packet->time,
        .caplen = caplen,
        .len = packet->len,
    };
    uint8_t *at = to + sizeof(head) + pad4(caplen);

    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), packet->data, caplen);
    memset(to + sizeof(head) + caplen, 0, pad4(caplen) - caplen);
    memcpy(at, options, options_len);
    memcpy(at + options_len, &head.header.total_len, sizeof(head.header.total_len));
    return head.header.total_len;
}

uint64_t ec_block_process_thread(uint32_t pid, uint32_t tid)
{
    const uint32_t ids[2] = {pid, tid};
    uint64_t value;

    memcpy(&value, ids, sizeof(value));
    return value;
}

static void append(GByteArray *blocks, const void *data, size_t len)
{
    g_byte_array_append(blocks, data, (guint)len);
}

static void append_padded(GByteArray *blocks, const void *data, size_t len)
{
    static const uint8_t zero[3];

    append(blocks, data, len);
    append(blocks, zero, pad4(len) - len);
}

/* Returns where the block begins, for append_end(). */
static guint append_start(GByteArray *blocks, enum ec_block_type type)
{
    const struct block_header header = {.type = (uint32_t)type};
    guint start = blocks->len;

    append(blocks, &header, sizeof(header));
    return start;
}

static void append_end(GByteArray *blocks, guint start)
{
    uint32_t total_len = blocks->len - start + (uint32_t)sizeof(total_len);

    append(blocks, &total_len, sizeof(total_len));
    memcpy(blocks->data + start + G_STRUCT_OFFSET(struct block_header, total_len), &total_len, sizeof(total_len));
}

static void append_option(GByteArray *blocks, uint16_t code, const void *value, size_t len)
{
    const struct option_header option = {.code = code, .len = (uint16_t)len};

    append(blocks, &option, sizeof(option));
    append_padded(blocks, value, len);
}

static void append_text(GByteArray *blocks, uint16_t code, const char *text)
{
    append_option(blocks, code, text, strnlen(text, EC_BLOCK_TEXT_MAX));
}

static void append_count(GByteArray *blocks, uint16_t code, uint64_t value)
{
    append_option(blocks, code, &value, sizeof(value));
}

static void append_time(GByteArray *blocks, uint16_t code, uint64_t time)
{
    const uint32_t words[2] = {(uint32_t)(time >> 32), (uint32_t)time};

    append_option(blocks, code, words, sizeof(words));
}

void ec_block_append_packet_options(GByteArray *options, const char *comment, uint32_t flags, uint32_t pid,
                                    uint32_t tid)
{
    const uint32_t ids[2] = {pid, tid};

    if (comment)
        append_text(options, OPTION_COMMENT, comment);
    append_option(options, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
    append_option(options, EC_PACKET_OPTION_PROCESS_THREAD, ids, sizeof(ids));
    append_option(options, OPTION_END, NULL, 0);
}

void ec_block_append_secrets(GByteArray *blocks, const char *lines, size_t len)
{
    guint start = append_start(blocks, EC_BLOCK_DECRYPTION_SECRETS);
    const uint32_t fixed[2] = {SECRETS_TYPE_TLS, (uint32_t)len};

    append(blocks, fixed, sizeof(fixed));
    append_padded(blocks, lines, len);
    append_end(blocks, start);
}

void ec_block_append_process(GByteArray *blocks, uint32_t pid, const char *name)
{
    guint start = append_start(blocks, EC_BLOCK_DARWIN_PROCESS);

    append(blocks, &pid, sizeof(pid));
    append_text(blocks, OPTION_PROCESS_NAME, name);
    append_option(blocks, OPTION_END, NULL, 0);
    append_end(blocks, start);
}

void ec_block_append_journal(GByteArray *blocks, const void *entry, size_t len)
{
    guint start = append_start(blocks, EC_BLOCK_JOURNAL);

    append_padded(blocks, entry, len);
    append_end(blocks, start);
}

void ec_block_append_statistics(GByteArray *blocks, const struct ec_interface_statistics *statistics,
                                uint64_t delivered, const char *comment)
{
    guint start = append_start(blocks, EC_BLOCK_INTERFACE_STATISTICS);
    const uint32_t fixed[3] = {statistics->interface, (uint32_t)(statistics->now >> 32), (uint32_t)statistics->now};

    append(blocks, fixed, sizeof(fixed));
    if (comment)
        append_text(blocks, OPTION_COMMENT, comment);
    if (comment && statistics->remark)
        append_text(blocks, OPTION_COMMENT, statistics->remark);
    if (comment && statistics->ring_drops) {
        g_autofree char *drops = g_strdup_printf("drop_ring by CPU: %s", statistics->ring_drops);

        append_text(blocks, OPTION_COMMENT, drops);
    }
    append_time(blocks, OPTION_START, statistics->start);
    append_time(blocks, OPTION_END_TIME, statistics->now);
    append_count(blocks, OPTION_RECEIVED, statistics->received);
    /* Wireshark's summary and capinfos show this one, though osdrop is the exact word for it. */
    append_count(blocks, OPTION_INTERFACE_DROPPED, statistics->dropped);
    append_count(blocks, OPTION_FILTER_ACCEPTED, statistics->received);
    append_count(blocks, OPTION_SYSTEM_DROPPED, statistics->dropped);
    append_count(blocks, OPTION_DELIVERED, delivered);
    append_option(blocks, OPTION_END, NULL, 0);
    append_end(blocks, start);
}
