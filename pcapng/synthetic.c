/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "synthetic.h"

#include "checksum.h"
#include "hash.h"

#include <netinet/in.h>
#include <string.h>

/* Connections whose state is kept; of more, the oldest begin anew with their next byte. */
#define STREAMS_MAX 65536
/* A receiver that has nothing to say acknowledges so many bytes at a time: Wireshark keeps what isn't. */
#define ACKNOWLEDGE_BYTES (1u << 20)

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_LEN = 20, UDP_LEN = 8 };
/* RFC 9293 3.1; RFC 7323 2.2: window scale, 14 at most, padded by a no-operation */
enum { FIN = 1, SYN = 2, ACK = 16 };
static const uint8_t syn_options[] = {3, 3, 14, 1};

enum { PORT_HTTP = 80 };
/* Clients' ports that are made up: Linux uses none of them by itself (ip_local_port_range). */
enum { CLIENT_PORT_FIRST = 61000, CLIENT_PORT_LAST = 65535 };

/* The ends of a connection. */
struct tuple {
    struct ec_endpoint local, remote;
    uint32_t transport;
};

struct stream {
    uint64_t id;        /* of its ec_sink_connection */
    struct tuple tuple; /* as it is */
    struct tuple ends;  /* as the packets show it */
    struct ec_synthetic_port real;
    bool shown;           /* false: the other end's view is */
    uint32_t sequence[2]; /* of the next byte, by enum ec_direction - 1 */
    uint64_t offset[2];   /* likewise, of it in the plaintext */
    uint32_t unheard[2];  /* bytes that the receiver has not acknowledged */
    GList link;           /* in synthetic->order; data: this */
};

struct ec_synthetic {
    GHashTable *streams; /* id → struct stream * */
    GHashTable *shown;   /* struct tuple, as it is → struct stream *, borrowed */
    GHashTable *taken;   /* struct tuple, as it is shown; borrowed */
    GQueue order;        /* oldest first */
    uint16_t last_port;  /* of a client that was made up */
    uint8_t packet[EC_SYNTHETIC_LEN_MAX];
};

/* What runs over TLS on the one port, and without on the other: where Wireshark 4.0 to 4.6 takes TLS for granted
 * (tshark -G decodes), and where the plain port alone has a dissector. */
static const struct {
    uint16_t secure, plain;
} ports[] = {
    {443, 80},    {465, 25},    {563, 119},  {636, 389},   {802, 502},   {853, 53},      {989, 20},
    {990, 21},    {992, 23},    {993, 143},  {995, 110},   {3269, 3268}, {5061, 5060},   {5671, 5672},
    {5868, 3868}, {5986, 5985}, {6514, 514}, {6697, 6667}, {8883, 1883}, {11207, 11210},
};

/* 0: none stands for it. */
static uint16_t port_get_plain(uint16_t port)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
        if (ports[i].secure == port)
            return ports[i].plain;
    return 0;
}

/* RFC 9113 4.1, 6.5: a SETTINGS frame of stream 0, which a server begins with */
static bool is_http2_settings(const uint8_t *data, uint32_t len)
{
    static const uint8_t connection[4];

    return len >= 9 && data[0] == 0 && data[1] == 0 && data[2] % 6 == 0 && data[3] == 4 && data[4] <= 1 &&
           memcmp(data + 5, connection, sizeof(connection)) == 0;
}

bool ec_synthetic_is_http(const uint8_t *data, uint32_t len)
{
    static const char *const beginnings[] = {
        "GET ", "POST ", "HEAD ", "PUT ", "HTTP/1.", "PRI * HTTP/2.0\r\n", "DELETE ", "PATCH ", "OPTIONS ", "CONNECT "};

    for (size_t i = 0; i < G_N_ELEMENTS(beginnings); i++)
        if (len >= strlen(beginnings[i]) && memcmp(data, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return is_http2_settings(data, len);
}

static guint tuple_hash(gconstpointer key)
{
    return ec_bytes_hash(key, sizeof(struct tuple));
}

static gboolean tuple_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct tuple)) == 0;
}

ec_synthetic *ec_synthetic_new(void)
{
    ec_synthetic *synthetic = g_new0(ec_synthetic, 1);

    synthetic->streams = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    synthetic->shown = g_hash_table_new(tuple_hash, tuple_equal);
    synthetic->taken = g_hash_table_new(tuple_hash, tuple_equal);
    synthetic->last_port = CLIENT_PORT_LAST;
    return synthetic;
}

void ec_synthetic_free(ec_synthetic *synthetic)
{
    if (!synthetic)
        return;
    g_hash_table_unref(synthetic->shown);
    g_hash_table_unref(synthetic->taken);
    g_hash_table_unref(synthetic->streams);
    g_free(synthetic);
}

/* ---- packets ---- */

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static bool is_ipv4(const struct ec_endpoint *endpoint)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(endpoint->address, mapped, sizeof(mapped)) == 0;
}

static size_t ip_len(const struct tuple *tuple)
{
    return is_ipv4(&tuple->local) && is_ipv4(&tuple->remote) ? IPV4_LEN : IPV6_LEN;
}

/* The header for `len` bytes behind it. Returns the sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1). */
static uint64_t ip_fill(uint8_t *packet, size_t header_len, const struct ec_endpoint *from,
                        const struct ec_endpoint *to, uint8_t protocol, uint32_t len)
{
    const size_t skip = header_len == IPV4_LEN ? 12 : 0;

    memset(packet, 0, header_len);
    if (header_len == IPV4_LEN) {
        packet[0] = 0x45;
        put16(packet + 2, IPV4_LEN + len);
        packet[6] = 0x40; /* don't fragment */
        packet[8] = 64;
        packet[9] = protocol;
        memcpy(packet + 12, from->address + 12, 4);
        memcpy(packet + 16, to->address + 12, 4);
        put16(packet + 10, ec_checksum_end(ec_checksum_add(0, packet, IPV4_LEN)));
    } else {
        packet[0] = 0x60;
        put16(packet + 4, len);
        packet[6] = protocol;
        packet[7] = 64;
        memcpy(packet + 8, from->address, 16);
        memcpy(packet + 24, to->address, 16);
    }
    return ec_checksum_add(ec_checksum_add((uint64_t)protocol + len, from->address + skip, 16 - skip),
                           to->address + skip, 16 - skip);
}

/* Where packets go for one piece. */
struct output {
    uint8_t *packet; /* EC_SYNTHETIC_LEN_MAX bytes */
    ec_synthetic_write write;
    void *data;
};

static bool tcp_write(const struct output *output, const struct stream *stream, enum ec_direction direction,
                      uint8_t flags, const uint8_t *payload, uint32_t len)
{
    const bool out = direction == EC_DIRECTION_OUT;
    const struct ec_endpoint *from = out ? &stream->ends.local : &stream->ends.remote;
    const struct ec_endpoint *to = out ? &stream->ends.remote : &stream->ends.local;
    const size_t start = ip_len(&stream->tuple), options = flags & SYN ? sizeof(syn_options) : 0;
    const uint32_t tcp_len = TCP_LEN + (uint32_t)options + len;
    uint64_t sum = ip_fill(output->packet, start, from, to, IPPROTO_TCP, tcp_len);
    uint8_t *tcp = output->packet + start;

    memset(tcp, 0, TCP_LEN);
    put16(tcp, from->port);
    put16(tcp + 2, to->port);
    put32(tcp + 4, stream->sequence[direction - 1]);
    if (flags & ACK)
        put32(tcp + 8, stream->sequence[out ? EC_DIRECTION_IN - 1 : EC_DIRECTION_OUT - 1]);
    tcp[12] = (uint8_t)((TCP_LEN + options) / 4 << 4);
    tcp[13] = flags;
    put16(tcp + 14, 65535);
    memcpy(tcp + TCP_LEN, syn_options, options);
    if (len)
        memcpy(tcp + TCP_LEN + options, payload, len);
    put16(tcp + 16, ec_checksum_end(ec_checksum_add(sum, tcp, tcp_len)));
    return output->write(output->packet, (uint32_t)start + tcp_len, direction, &stream->real, output->data);
}

static bool udp_write(const struct output *output, const struct stream *stream, enum ec_direction direction,
                      const uint8_t *payload, uint32_t len)
{
    const bool out = direction == EC_DIRECTION_OUT;
    const struct ec_endpoint *from = out ? &stream->ends.local : &stream->ends.remote;
    const struct ec_endpoint *to = out ? &stream->ends.remote : &stream->ends.local;
    const size_t start = ip_len(&stream->tuple);
    uint64_t sum = ip_fill(output->packet, start, from, to, IPPROTO_UDP, UDP_LEN + len);
    uint8_t *udp = output->packet + start;

    put16(udp, from->port);
    put16(udp + 2, to->port);
    put16(udp + 4, UDP_LEN + len);
    put16(udp + 6, 0);
    memcpy(udp + UDP_LEN, payload, len);
    put16(udp + 6, ec_checksum_end_udp(ec_checksum_add(sum, udp, UDP_LEN + len)));
    return output->write(output->packet, (uint32_t)start + UDP_LEN + len, direction, &stream->real, output->data);
}

/* ---- streams ---- */

static struct tuple tuple_mirror(const struct tuple *tuple)
{
    struct tuple mirror = *tuple;

    mirror.local = tuple->remote;
    mirror.remote = tuple->local;
    return mirror;
}

/* Zeroed where the compiler leaves holes: it is hashed as bytes. */
static void tuple_make(const struct ec_sink_connection *connection, struct tuple *ret_tuple)
{
    memset(ret_tuple, 0, sizeof(*ret_tuple));
    memcpy(ret_tuple->local.address, connection->local.address, sizeof(connection->local.address));
    memcpy(ret_tuple->remote.address, connection->remote.address, sizeof(connection->remote.address));
    ret_tuple->local.port = connection->local.port;
    ret_tuple->remote.port = connection->remote.port;
    ret_tuple->transport = connection->transport;
}

/* Chooses the port that differs from the captured packets'. */
static void stream_set_ends(ec_synthetic *synthetic, struct stream *stream, const struct ec_sink_plaintext *first)
{
    const bool server = first->connection->server;
    uint16_t *server_port, *client_port, plain;

    stream->ends = stream->tuple;
    server_port = server ? &stream->ends.local.port : &stream->ends.remote.port;
    client_port = server ? &stream->ends.remote.port : &stream->ends.local.port;
    plain = ec_synthetic_is_http(first->data, first->len) && *server_port != PORT_HTTP ? PORT_HTTP
                                                                                       : port_get_plain(*server_port);
    stream->real.client = plain == 0;
    stream->real.port = plain ? *server_port : *client_port;
    if (plain) {
        *server_port = plain;
        return;
    }
    for (int tries = CLIENT_PORT_FIRST; tries <= CLIENT_PORT_LAST; tries++) {
        synthetic->last_port = synthetic->last_port == CLIENT_PORT_LAST ? CLIENT_PORT_FIRST : synthetic->last_port + 1;
        *client_port = synthetic->last_port;
        if (!g_hash_table_contains(synthetic->taken, &stream->ends))
            return;
    }
}

static void stream_remove(ec_synthetic *synthetic, struct stream *stream)
{
    if (stream->shown)
        g_hash_table_remove(synthetic->shown, &stream->tuple);
    /* Another one may have it by now, if there were too many. */
    if (g_hash_table_lookup(synthetic->taken, &stream->ends) == &stream->ends)
        g_hash_table_remove(synthetic->taken, &stream->ends);
    g_queue_unlink(&synthetic->order, &stream->link);
    g_hash_table_remove(synthetic->streams, &stream->id);
}

static struct stream *stream_add(ec_synthetic *synthetic, const struct ec_sink_plaintext *first)
{
    const struct ec_sink_connection *connection = first->connection;
    struct stream *stream = g_new0(struct stream, 1), *former;
    struct tuple mirror;

    while (g_hash_table_size(synthetic->streams) >= STREAMS_MAX)
        stream_remove(synthetic, synthetic->order.head->data);
    stream->id = connection->id;
    tuple_make(connection, &stream->tuple);
    mirror = tuple_mirror(&stream->tuple);
    /* A connection of the same ends that was not seen to end has done so. */
    former = g_hash_table_lookup(synthetic->shown, &stream->tuple);
    if (former)
        stream_remove(synthetic, former);
    stream->shown = !g_hash_table_contains(synthetic->shown, &mirror);
    stream->link.data = stream;
    g_queue_push_tail_link(&synthetic->order, &stream->link);
    g_hash_table_insert(synthetic->streams, &stream->id, stream);
    if (!stream->shown)
        return stream;
    g_hash_table_insert(synthetic->shown, &stream->tuple, stream);
    stream_set_ends(synthetic, stream, first);
    g_hash_table_add(synthetic->taken, &stream->ends);
    return stream;
}

/* The client connects. Another connection of the same ends begins elsewhere, which tells Wireshark that it is one. */
static bool stream_begin(struct stream *stream, const struct ec_sink_plaintext *plaintext, const struct output *output)
{
    const enum ec_direction first = plaintext->connection->server ? EC_DIRECTION_IN : EC_DIRECTION_OUT;
    const enum ec_direction second = first == EC_DIRECTION_IN ? EC_DIRECTION_OUT : EC_DIRECTION_IN;

    stream->offset[plaintext->direction - 1] = plaintext->offset;
    stream->sequence[0] = (uint32_t)(stream->id * 2654435761u);
    stream->sequence[1] = stream->sequence[0] ^ 0x55555555u;
    if (plaintext->connection->transport != EC_TRANSPORT_TCP)
        return true;
    if (!tcp_write(output, stream, first, SYN, NULL, 0))
        return false;
    stream->sequence[first - 1]++;
    if (!tcp_write(output, stream, second, SYN | ACK, NULL, 0))
        return false;
    stream->sequence[second - 1]++;
    return tcp_write(output, stream, first, ACK, NULL, 0);
}

static bool stream_end(struct stream *stream, const struct output *output)
{
    if (stream->tuple.transport != EC_TRANSPORT_TCP)
        return true;
    if (!tcp_write(output, stream, EC_DIRECTION_OUT, FIN | ACK, NULL, 0))
        return false;
    stream->sequence[EC_DIRECTION_OUT - 1]++;
    if (!tcp_write(output, stream, EC_DIRECTION_IN, FIN | ACK, NULL, 0))
        return false;
    stream->sequence[EC_DIRECTION_IN - 1]++;
    return tcp_write(output, stream, EC_DIRECTION_OUT, ACK, NULL, 0);
}

static bool segment_write(struct stream *stream, enum ec_direction direction, const uint8_t *data, uint32_t len,
                          const struct output *output)
{
    const enum ec_direction other = direction == EC_DIRECTION_IN ? EC_DIRECTION_OUT : EC_DIRECTION_IN;

    if (stream->tuple.transport != EC_TRANSPORT_TCP)
        return udp_write(output, stream, direction, data, len);
    if (!tcp_write(output, stream, direction, ACK, data, len))
        return false;
    stream->sequence[direction - 1] += len;
    stream->unheard[other - 1] = 0;
    stream->unheard[direction - 1] += len;
    if (stream->unheard[direction - 1] < ACKNOWLEDGE_BYTES)
        return true;
    stream->unheard[direction - 1] = 0;
    return tcp_write(output, stream, other, ACK, NULL, 0);
}

static bool stream_write(struct stream *stream, const struct ec_sink_plaintext *plaintext, const struct output *output)
{
    const size_t transport_len = stream->tuple.transport == EC_TRANSPORT_TCP ? TCP_LEN : UDP_LEN;
    const uint32_t room = (uint32_t)(EC_SYNTHETIC_LEN_MAX - ip_len(&stream->tuple) - transport_len);
    const int index = plaintext->direction - 1;

    stream->sequence[index] += (uint32_t)(plaintext->offset - stream->offset[index]);
    stream->offset[index] = plaintext->offset + plaintext->len;
    for (uint32_t at = 0; at < plaintext->len; at += room)
        if (!segment_write(stream, plaintext->direction, plaintext->data + at, MIN(room, plaintext->len - at), output))
            return false;
    return true;
}

bool ec_synthetic_add(ec_synthetic *synthetic, const struct ec_sink_plaintext *plaintext, ec_synthetic_write write,
                      void *data)
{
    const struct output output = {synthetic->packet, write, data};
    struct stream *stream = g_hash_table_lookup(synthetic->streams, &plaintext->connection->id);
    bool ok = true;

    if (!stream) {
        if (plaintext->closed)
            return true;
        stream = stream_add(synthetic, plaintext);
        if (stream->shown)
            ok = stream_begin(stream, plaintext, &output);
    }
    if (ok && stream->shown)
        ok = stream_write(stream, plaintext, &output);
    if (!plaintext->closed)
        return ok;
    if (ok && stream->shown)
        ok = stream_end(stream, &output);
    stream_remove(synthetic, stream);
    return ok;
}
