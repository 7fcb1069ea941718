/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream.h"

#include "datagram.h"
#include "handshake.h"
#include "log.h"
#include "message.h"
#include "owner.h"
#include "ring.h"
#include "segment.h"

#include <string.h>
#include <time.h>

/* Sockets whose owner is remembered, by cookie. */
#define OWNERS_REMEMBERED 65536
/* A socket's owner is reported right after the call that used it; longer than that it won't come. */
#define OWNER_WAIT_NS 20000000ull
/* A process whose secrets failed to come so often in a row isn't waited for until one comes. */
#define MISSES_MAX 3
/* An end that has sent something later has derived what it ever will; how long its secrets take to reach us. */
#define MOVED_ON_NS 20000000ull
/* IEEE 802.1Q 9.4: TPID and TCI; bytes */
#define VLAN_TAG_LEN 4

struct interface {
    int ifindex;
    struct ec_sink_interface view; /* its texts are ours */
    uint64_t start;                /* ns since the epoch */
    uint64_t received;
};

/* The earliest packet, looked at once, while it waits; or one datagram of the several that it stands for. */
struct head {
    const struct ec_packet *packet; /* NULL: not looked at yet */
    uint32_t index;                 /* of the datagram */
    bool more;                      /* another one follows */
    struct ec_need need;
    const uint8_t *data; /* with its VLAN tag, if it has one */
    uint32_t caplen, len;
    guint interface;
    bool accepted;
    bool blamed;               /* its ends were asked why secrets are missing */
    struct ec_segment segment; /* if need.labels */
    size_t scanned;            /* so many packets behind it, itself included, have been looked through */
    uint64_t moved_on;         /* when an end that owes secrets was seen to go on without them; 0: not yet */
};

struct ec_stream {
    struct ec_stream_config config;
    ec_packet_rings *packets;
    ec_ring *events;
    ec_messages *messages; /* NULL: there are none */
    ec_handshakes *handshakes;
    ec_owners *owners;
    GHashTable *misses; /* pid → handshakes in a row without their secrets */
    GPtrArray *sinks;   /* struct ec_sink * */
    GArray *interfaces; /* struct interface; index = sink's id */
    guint announced;    /* so many of them are known to the sinks */
    struct head head;
    uint8_t *tagged;       /* EC_SNAPLEN_MAX + VLAN_TAG_LEN bytes */
    uint8_t *datagram;     /* likewise */
    uint64_t written_time; /* of the last packet or message handed out; ns, CLOCK_BOOTTIME */
    uint64_t epoch;        /* CLOCK_REALTIME - CLOCK_BOOTTIME, ns */
    unsigned batch;        /* packets and messages read by the last pump */
    struct ec_statistics statistics;
    GError *failure; /* of a sink */
};

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void interface_clear(gpointer data)
{
    struct interface *interface = data;

    g_free((char *)interface->view.name);
    g_free((char *)interface->view.filter);
}

static void give_plaintext(const struct ec_sink_plaintext *plaintext, void *data);
static void give_command(const struct ec_sink_command *command, void *data);
static void give_statement(const struct ec_sink_statement *statement, void *data);

static bool open_messages(ec_stream *stream, GError **error)
{
    const struct ec_message_output output = {.plaintext = give_plaintext,
                                             .command = give_command,
                                             .statement = give_statement,
                                             .data = stream,
                                             .filter_status = stream->config.filter_status,
                                             .status = stream->config.status,
                                             .handshakes = stream->handshakes};

    if (stream->config.messages.size == 0)
        return true;
    stream->messages = ec_messages_new(stream->config.messages.fd, stream->config.messages.size, &output, error);
    return stream->messages != NULL;
}

ec_stream *ec_stream_new(const struct ec_stream_config *config, GError **error)
{
    g_autoptr(ec_stream) stream = g_new0(ec_stream, 1);

    stream->config = *config;
    stream->sinks = g_ptr_array_new();
    stream->interfaces = g_array_new(FALSE, TRUE, sizeof(struct interface));
    g_array_set_clear_func(stream->interfaces, interface_clear);
    stream->misses = g_hash_table_new(g_direct_hash, g_direct_equal);
    stream->handshakes = ec_handshakes_new(config->verify);
    stream->owners = ec_owners_new(OWNERS_REMEMBERED);
    stream->tagged = g_malloc(EC_SNAPLEN_MAX + VLAN_TAG_LEN);
    stream->datagram = g_malloc(EC_SNAPLEN_MAX + VLAN_TAG_LEN);
    stream->epoch = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME);
    stream->packets = ec_packet_rings_new(config->near, config->packets, error);
    if (!stream->packets)
        return NULL;
    stream->events = ec_ring_open(config->events.fd, config->events.size, error);
    if (!stream->events || !open_messages(stream, error))
        return NULL;
    return g_steal_pointer(&stream);
}

static void sink_free(gpointer data, gpointer user_data)
{
    struct ec_sink *sink = data;
    (void)user_data;

    sink->ops->free(sink);
}

void ec_stream_free(ec_stream *stream)
{
    if (!stream)
        return;
    g_ptr_array_foreach(stream->sinks, sink_free, NULL);
    g_ptr_array_unref(stream->sinks);
    g_array_unref(stream->interfaces);
    g_hash_table_unref(stream->misses);
    ec_handshakes_free(stream->handshakes);
    ec_owners_free(stream->owners);
    ec_messages_free(stream->messages);
    ec_packet_rings_free(stream->packets);
    ec_ring_close(stream->events);
    g_clear_error(&stream->failure);
    g_free(stream->tagged);
    g_free(stream->datagram);
    g_free(stream);
}

void ec_stream_add_sink(ec_stream *stream, struct ec_sink *sink)
{
    g_ptr_array_add(stream->sinks, sink);
}

/* Calls one operation of every sink that has it. Stops the stream at the first failure. */
#define FOREACH_SINK(stream, operation, ...)                                                                           \
    for (guint sink_index = 0; !(stream)->failure && sink_index < (stream)->sinks->len; sink_index++) {                \
        struct ec_sink *sink = g_ptr_array_index((stream)->sinks, sink_index);                                         \
                                                                                                                       \
        if (sink->ops->operation && !sink->ops->operation(sink, __VA_ARGS__, &(stream)->failure))                      \
            break;                                                                                                     \
    }

static bool take_failure(ec_stream *stream, GError **error)
{
    if (!stream->failure)
        return true;
    g_propagate_error(error, g_steal_pointer(&stream->failure));
    return false;
}

void ec_stream_add_interface(ec_stream *stream, int ifindex, const struct ec_sink_interface *interface)
{
    struct interface entry = {ifindex, *interface, read_clock(CLOCK_BOOTTIME) + stream->epoch, 0};

    entry.view.id = stream->interfaces->len;
    entry.view.name = g_strdup(interface->name);
    entry.view.filter = g_strdup(interface->filter);
    g_array_append_val(stream->interfaces, entry);
}

static void announce_interfaces(ec_stream *stream)
{
    for (; stream->announced < stream->interfaces->len; stream->announced++)
        FOREACH_SINK(stream, interface, &g_array_index(stream->interfaces, struct interface, stream->announced).view);
}

/* The newest of that index: an interface that went and came back has been announced again. */
static bool find_interface(const ec_stream *stream, uint32_t ifindex, guint *ret_index)
{
    for (guint i = stream->interfaces->len; i-- > 0;) {
        if ((uint32_t)g_array_index(stream->interfaces, struct interface, i).ifindex == ifindex) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool give_secret(const struct ec_secret *secret, void *data)
{
    ec_stream *stream = data;

    stream->statistics.secrets++;
    FOREACH_SINK(stream, secret, secret);
    return !stream->failure;
}

static void read_secret(ec_stream *stream, const struct ec_secret_event *event)
{
    struct ec_secret secret = {.secret_len = event->secret_len,
                               .unproven = event->record.flags & EC_SECRET_UNPROVEN,
                               .of_server = event->record.flags & EC_SECRET_OF_SERVER};

    if (event->secret_len == 0 || event->secret_len > EC_SECRET_LEN || event->label_len >= EC_LABEL_LEN) {
        stream->statistics.drop_secret_invalid++;
        return;
    }
    memcpy(secret.label, event->label, event->label_len);
    memcpy(secret.client_random, event->client_random, EC_RANDOM_LEN);
    memcpy(secret.secret, event->secret, event->secret_len);
    g_hash_table_remove(stream->misses, GUINT_TO_POINTER(event->record.pid));
    if (event->object)
        ec_addresses_name(ec_handshakes_get_addresses(stream->handshakes), event->record.pid, event->object,
                          event->client_random, event->record.time);
    switch (ec_handshakes_add_secret(stream->handshakes, &secret, event->record.time)) {
    case EC_SECRET_INVALID:
        stream->statistics.drop_secret_invalid++;
        break;
    case EC_SECRET_LATE:
        stream->statistics.late_secrets++;
        break;
    case EC_SECRET_DUPLICATE:
    case EC_SECRET_KEPT:
        break;
    }
    explicit_bzero(&secret, sizeof(secret));
}

static void read_owner(ec_stream *stream, const struct ec_owner_event *event)
{
    if (event->cookie != 0)
        ec_owners_set(stream->owners, event->cookie, &event->owner);
}

/* True if something was there. */
static bool read_events(ec_stream *stream)
{
    uint64_t end = ec_ring_get_end(stream->events), next;
    const struct ec_record *record;
    const void *memory;
    bool any = false;
    uint32_t len;

    while (ec_ring_read(stream->events, end, &memory, &len, &next) == EC_RING_RECORD) {
        record = memory;
        if (len >= sizeof(struct ec_secret_event) && record->type == EC_RECORD_SECRET)
            read_secret(stream, memory);
        else if (len >= sizeof(struct ec_owner_event) && record->type == EC_RECORD_OWNER)
            read_owner(stream, memory);
        any = true;
    }
    ec_ring_release_read(stream->events);
    return any;
}

static bool is_known(const struct ec_owner *owner)
{
    return owner->flags & EC_OWNER_KNOWN;
}

/* From the packet, else by its socket's cookie. NULL: not known. */
static const struct ec_owner *find_owner(const ec_stream *stream, const struct ec_owner *owner, uint64_t cookie)
{
    if (is_known(owner))
        return owner;
    owner = cookie ? ec_owners_get(stream->owners, cookie) : NULL;
    return owner && is_known(owner) ? owner : NULL;
}

/* A socket that no process has reported yet, and that wasn't waited for in vain before. */
static bool is_due(const ec_stream *stream, const struct ec_owner *owner, uint64_t cookie)
{
    return cookie && !is_known(owner) && !ec_owners_get(stream->owners, cookie);
}

static bool awaits_owner(const ec_stream *stream, const struct ec_packet *packet)
{
    return is_due(stream, &packet->owner, packet->cookie) || is_due(stream, &packet->peer, packet->peer_cookie);
}

/* The kernel's own sockets have no process: only their first packet waits for one. */
static void give_up_owner(ec_stream *stream, const struct ec_owner *owner, uint64_t cookie)
{
    static const struct ec_owner unknown;

    if (is_due(stream, owner, cookie))
        ec_owners_set(stream->owners, cookie, &unknown);
}

static void insert_tag(ec_stream *stream, const struct ec_packet *packet)
{
    struct head *head = &stream->head;
    const uint8_t tag[VLAN_TAG_LEN] = {(uint8_t)(packet->vlan_proto >> 8), (uint8_t)packet->vlan_proto,
                                       (uint8_t)(packet->vlan_tci >> 8), (uint8_t)packet->vlan_tci};

    if (packet->caplen < 12)
        return;
    memcpy(stream->tagged, packet->data, 12);
    memcpy(stream->tagged + 12, tag, sizeof(tag));
    memcpy(stream->tagged + 16, packet->data + 12, packet->caplen - 12);
    head->data = stream->tagged;
    head->caplen += VLAN_TAG_LEN;
    head->len += VLAN_TAG_LEN;
}

static bool passes_capture_filter(const ec_stream *stream, int linktype)
{
    const struct head *head = &stream->head;
    const ec_filter *filter = linktype == EC_LINKTYPE_ETHERNET ? stream->config.filter_eth : stream->config.filter_ip;

    if (!(head->packet->flags & EC_PACKET_UNFILTERED) || !filter)
        return true;
    if (!ec_filter_tests_vlan(filter))
        return ec_filter_match(filter, head->packet->data, head->packet->caplen, head->packet->len);
    return ec_filter_match(filter, head->data, head->caplen, head->len);
}

/* Puts the datagram in the place of the packet that stands for it and others. */
static void cut_head(ec_stream *stream, int linktype)
{
    struct head *head = &stream->head;
    struct ec_datagram datagram;

    if ((head->index == 0 && !ec_handshakes_is_datagram(stream->handshakes, &head->segment)) ||
        !ec_datagram_cut(head->data, &head->segment, head->packet->gso_size, head->index, stream->datagram, &datagram))
        return;
    head->data = stream->datagram;
    head->caplen = datagram.caplen;
    head->len = datagram.len;
    head->more = !datagram.last;
    ec_segment_parse(linktype, head->data, head->caplen, &head->segment);
}

/* The first look at the earliest packet. */
static void inspect_head(ec_stream *stream, const struct ec_packet *packet, uint32_t index)
{
    struct head *head = &stream->head;
    int linktype;

    *head = (struct head){.packet = packet,
                          .index = index,
                          .data = packet->data,
                          .caplen = packet->caplen,
                          .len = packet->len,
                          .scanned = 1};
    if (!find_interface(stream, packet->ifindex, &head->interface))
        return;
    linktype = g_array_index(stream->interfaces, struct interface, head->interface).view.linktype;
    if (packet->flags & EC_PACKET_VLAN)
        insert_tag(stream, packet);
    head->accepted = passes_capture_filter(stream, linktype);
    if (!head->accepted || !ec_segment_parse(linktype, head->data, head->caplen, &head->segment))
        return;
    if (packet->gso_size)
        cut_head(stream, linktype);
    ec_handshakes_inspect(stream->handshakes, &head->segment, &head->need);
}

/* Whether this end's process will give the secrets that are missing. */
static bool may_give_secrets(const ec_stream *stream, const struct ec_owner *owner)
{
    if (!owner || !(owner->flags & EC_OWNER_MATCH))
        return false;
    if (GPOINTER_TO_UINT(g_hash_table_lookup(stream->misses, GUINT_TO_POINTER(owner->pid))) >= MISSES_MAX)
        return false;
    return stream->config.is_hooked(owner->pid, stream->config.data);
}

static void count_miss(ec_stream *stream, const struct ec_owner *owner)
{
    gpointer key, misses;

    if (!owner)
        return;
    key = GUINT_TO_POINTER(owner->pid);
    misses = g_hash_table_lookup(stream->misses, key);
    g_hash_table_insert(stream->misses, key, GUINT_TO_POINTER(GPOINTER_TO_UINT(misses) + 1));
}

/* The rings are the waiting room: when one fills up, packets go out as they are rather than be lost. */
static bool is_crowded(const ec_stream *stream)
{
    return ec_packet_rings_is_crowded(stream->packets) ||
           (stream->messages && ec_messages_is_crowded(stream->messages));
}

/* Of the same connection, from an end that owes secrets, with something to say. */
static bool shows_progress(const ec_stream *stream, const struct ec_packet *packet, bool source_owes,
                           bool destination_owes)
{
    const struct ec_segment *held = &stream->head.segment;
    struct ec_segment segment;
    guint interface;
    int linktype;

    if (!find_interface(stream, packet->ifindex, &interface))
        return false;
    linktype = g_array_index(stream->interfaces, struct interface, interface).view.linktype;
    if (!ec_segment_parse(linktype, packet->data, packet->caplen, &segment) || segment.transport != held->transport)
        return false;
    if (segment.payload_len == 0 && !(segment.flags & (EC_TCP_FIN | EC_TCP_RST)))
        return false;
    return (source_owes && ec_endpoint_equal(&segment.source, &held->source) &&
            ec_endpoint_equal(&segment.destination, &held->destination)) ||
           (destination_owes && ec_endpoint_equal(&segment.source, &held->destination) &&
            ec_endpoint_equal(&segment.destination, &held->source));
}

/*
 * Whether an end that owes the secrets has gone on without: a handshake that was broken off, or a library in the
 * process that isn't the hooked one. Then the full hold time would be waited in vain.
 */
static bool has_moved_on(ec_stream *stream, bool owner_owes, bool peer_owes, uint64_t now)
{
    struct head *head = &stream->head;
    bool out = head->packet->direction == EC_DIRECTION_OUT || (head->packet->flags & EC_PACKET_LOOPBACK);
    const struct ec_packet *packet;

    if (head->need.patient)
        return false;
    for (; !head->moved_on && (packet = ec_packet_rings_get(stream->packets, head->scanned)); head->scanned++)
        if (shows_progress(stream, packet, out ? owner_owes : peer_owes, out ? peer_owes : owner_owes))
            head->moved_on = packet->record.time;
    return head->moved_on && now > head->moved_on + MOVED_ON_NS;
}

/* Why secrets are missing: asked at once, since the process may end while its packet waits. */
static void blame(const ec_stream *stream, const struct ec_owner *owner, const struct ec_owner *peer)
{
    const struct ec_owner *ends[] = {owner, peer};
    const struct ec_need *need = &stream->head.need;
    const char *reason = NULL;

    ec_need_blame(need, 0, "its process is not known, or none of this machine", "");
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (!ends[i] || !(ends[i]->flags & EC_OWNER_MATCH))
            continue;
        unsigned rank =
            stream->config.explain(ends[i]->pid, stream->head.packet->record.time, &reason, stream->config.data);
        ec_need_blame(need, rank, reason, ends[i]->comm);
    }
}

static bool must_wait(ec_stream *stream, uint64_t now)
{
    const struct ec_packet *packet = stream->head.packet;
    const struct ec_owner *owner, *peer;
    bool owner_owes, peer_owes;

    if (!stream->head.accepted)
        return false;
    if (awaits_owner(stream, packet)) {
        if (now < packet->record.time + OWNER_WAIT_NS)
            return true;
        give_up_owner(stream, &packet->owner, packet->cookie);
        give_up_owner(stream, &packet->peer, packet->peer_cookie);
    }
    if (ec_handshakes_get_missing(stream->handshakes, &stream->head.need) == 0)
        return false;
    owner = find_owner(stream, &packet->owner, packet->cookie);
    peer = find_owner(stream, &packet->peer, packet->peer_cookie);
    if (!stream->head.blamed)
        blame(stream, owner, peer);
    stream->head.blamed = true;
    owner_owes = may_give_secrets(stream, owner);
    peer_owes = may_give_secrets(stream, peer);
    if (!owner_owes && !peer_owes)
        return false;
    if (is_crowded(stream)) {
        stream->statistics.drop_queue++;
        return false;
    }
    if (now < packet->record.time + stream->config.hold_ns && !has_moved_on(stream, owner_owes, peer_owes, now))
        return true;
    count_miss(stream, owner);
    count_miss(stream, peer);
    return false;
}

static bool passes_process_filter(const ec_stream *stream, const struct ec_owner *owner, const struct ec_owner *peer)
{
    if (!stream->config.filter_process)
        return true;
    return (owner && (owner->flags & EC_OWNER_MATCH)) || (peer && (peer->flags & EC_OWNER_MATCH));
}

/* The time for the sinks, ns since the epoch, never before the last one's. */
static uint64_t advance(ec_stream *stream, uint64_t time)
{
    if (time < stream->written_time)
        stream->statistics.reordered++;
    else
        stream->written_time = time;
    return stream->written_time + stream->epoch;
}

static void give_plaintext(const struct ec_sink_plaintext *plaintext, void *data)
{
    ec_stream *stream = data;
    struct ec_sink_plaintext view = *plaintext;

    view.time = advance(stream, plaintext->time);
    stream->statistics.messages++;
    FOREACH_SINK(stream, plaintext, &view);
}

static void give_command(const struct ec_sink_command *command, void *data)
{
    ec_stream *stream = data;
    struct ec_sink_command view = *command;

    view.time = advance(stream, command->time);
    view.started += stream->epoch;
    stream->statistics.messages++;
    FOREACH_SINK(stream, command, &view);
}

static void give_statement(const struct ec_sink_statement *statement, void *data)
{
    ec_stream *stream = data;
    struct ec_sink_statement view = *statement;

    view.time = advance(stream, statement->time);
    view.started += stream->epoch;
    stream->statistics.messages++;
    FOREACH_SINK(stream, statement, &view);
}

/* On one machine both ends' processes have to be known, or one might be taken for the other. */
static void own_handshake(const ec_stream *stream, const struct ec_sink_packet *view)
{
    const struct head *head = &stream->head;
    const bool out = view->loopback || view->direction == EC_DIRECTION_OUT;

    if (!view->owner || (view->loopback && !view->peer))
        return;
    ec_addresses_own(ec_handshakes_get_addresses(stream->handshakes), head->need.client_random,
                     out ? &head->segment.source : &head->segment.destination, view->owner->pid,
                     view->peer ? view->peer->pid : 0);
}

static void write_head(ec_stream *stream)
{
    const struct head *head = &stream->head;
    const struct ec_packet *packet = head->packet;
    struct ec_sink_packet view = {.interface = head->interface,
                                  .len = head->len,
                                  .caplen = head->caplen,
                                  .data = head->data,
                                  .direction = (enum ec_direction)packet->direction,
                                  .loopback = packet->flags & EC_PACKET_LOOPBACK,
                                  .owner = find_owner(stream, &packet->owner, packet->cookie),
                                  .peer = find_owner(stream, &packet->peer, packet->peer_cookie)};

    if (!passes_process_filter(stream, view.owner, view.peer))
        return;
    if ((packet->cookie && !view.owner) || (packet->peer_cookie && !view.peer))
        stream->statistics.unattributed++;
    if (head->need.labels) {
        own_handshake(stream, &view);
        if (ec_handshakes_get_missing(stream->handshakes, &head->need))
            blame(stream, view.owner, view.peer);
        ec_handshakes_settle(stream->handshakes, &head->need);
        ec_handshakes_take(stream->handshakes, head->need.client_random, give_secret, stream);
    }
    if (head->need.older)
        ec_handshakes_add_older(stream->handshakes, view.owner ? view.owner->comm : view.peer ? view.peer->comm : "");
    view.time = advance(stream, packet->record.time);
    stream->statistics.packets++;
    stream->statistics.bytes += view.caplen;
    g_array_index(stream->interfaces, struct interface, head->interface).received++;
    FOREACH_SINK(stream, packet, &view);
}

static bool is_full(const ec_stream *stream)
{
    return stream->config.max_packets &&
           stream->statistics.packets + stream->statistics.messages >= stream->config.max_packets;
}

/* Everything up to here has been read. */
static uint64_t get_watermark(const ec_stream *stream)
{
    uint64_t packets = ec_packet_rings_get_watermark(stream->packets);

    return stream->messages ? MIN(packets, ec_messages_get_watermark(stream->messages)) : packets;
}

static void write_message(ec_stream *stream)
{
    if (!ec_messages_take(stream->messages))
        stream->statistics.drop_message_invalid++;
}

/* What has come since this round began, for a packet that came later: its process may have ended meanwhile, and then
 * nothing would be waited for. */
static void catch_up(ec_stream *stream)
{
    if (stream->head.need.labels && ec_handshakes_get_missing(stream->handshakes, &stream->head.need) &&
        ec_ring_has_unread(stream->events))
        read_events(stream);
}

/* False if the earliest packet has to wait. */
static bool write_packet(ec_stream *stream, const struct ec_packet *packet, bool last, uint64_t now)
{
    if (stream->head.packet != packet)
        inspect_head(stream, packet, 0);
    catch_up(stream);
    if (!last && must_wait(stream, now))
        return false;
    ec_handshakes_expire(stream->handshakes, packet->record.time, give_secret, stream);
    if (stream->head.accepted)
        write_head(stream);
    if (stream->head.more) {
        inspect_head(stream, packet, stream->head.index + 1);
        return true;
    }
    stream->head.packet = NULL;
    ec_packet_rings_pop(stream->packets);
    return true;
}

/* Hands out what may go; true if something did. */
static bool write_all(ec_stream *stream, bool last, uint64_t now)
{
    uint64_t watermark = last ? UINT64_MAX : get_watermark(stream);
    bool any = false;

    while (!stream->failure && !is_full(stream)) {
        const struct ec_packet *packet = ec_packet_rings_get(stream->packets, 0);
        const struct ec_record *message = stream->messages ? ec_messages_get(stream->messages) : NULL;
        bool is_message = message && (!packet || message->time < packet->record.time);

        if ((!packet && !message) || (is_message ? message->time : packet->record.time) > watermark)
            break;
        if (is_message)
            write_message(stream);
        else if (!write_packet(stream, packet, last, now))
            break;
        any = true;
    }
    return any;
}

/* Whether something was read and not yet handed out. */
static bool is_holding(const ec_stream *stream)
{
    return ec_packet_rings_get(stream->packets, 0) || (stream->messages && ec_messages_get(stream->messages));
}

static void release_rings(ec_stream *stream)
{
    if (stream->messages)
        ec_messages_release(stream->messages);
    ec_packet_rings_release(stream->packets);
}

enum ec_stream_state ec_stream_pump(ec_stream *stream, bool last, GError **error)
{
    uint64_t now = read_clock(CLOCK_BOOTTIME);
    bool any;

    announce_interfaces(stream);
    any = read_events(stream);
    stream->batch = ec_packet_rings_read(stream->packets, now);
    if (stream->messages) {
        stream->statistics.drop_message_invalid += ec_messages_read(stream->messages, now);
        stream->batch += ec_messages_get_batch(stream->messages);
    }
    any |= write_all(stream, last, now);
    if (last && stream->messages)
        ec_messages_end(stream->messages);
    if (!ec_packet_rings_get(stream->packets, 0))
        ec_handshakes_expire(stream->handshakes, last ? UINT64_MAX : ec_packet_rings_get_watermark(stream->packets),
                             give_secret, stream);
    for (guint i = 0; !stream->failure && i < stream->sinks->len; i++) {
        struct ec_sink *sink = g_ptr_array_index(stream->sinks, i);

        if (sink->ops->flush)
            sink->ops->flush(sink, &stream->failure);
    }
    release_rings(stream);
    if (!take_failure(stream, error))
        return EC_STREAM_FAILED;
    if (is_full(stream))
        return EC_STREAM_FULL;
    if (is_holding(stream))
        return EC_STREAM_HOLDING;
    return any ? EC_STREAM_BUSY : EC_STREAM_IDLE;
}

unsigned ec_stream_get_batch(const ec_stream *stream)
{
    return stream->batch;
}

bool ec_stream_has_unread(const ec_stream *stream)
{
    return ec_packet_rings_has_unread(stream->packets) || ec_ring_has_unread(stream->events) ||
           (stream->messages && ec_messages_has_unread(stream->messages));
}

void ec_stream_get_statistics(const ec_stream *stream, struct ec_statistics *ret_statistics)
{
    struct ec_handshake_counts counts;

    ec_handshakes_get_counts(stream->handshakes, &counts);
    *ret_statistics = stream->statistics;
    ret_statistics->drop_read += ec_packet_rings_get_invalid(stream->packets);
    ret_statistics->handshakes = counts.seen;
    ret_statistics->handshakes_with_secrets = counts.with_secrets;
    ret_statistics->handshakes_verified = counts.verified;
    ret_statistics->handshakes_wrong = counts.wrong;
    ret_statistics->handshakes_without_secrets = counts.without_secrets;
    /* Of a key log alone, nothing is. */
    ret_statistics->handshakes_unmatched = stream->statistics.packets ? counts.unmatched : 0;
}

char *ec_stream_format_misses(const ec_stream *stream)
{
    return ec_misses_format(ec_handshakes_get_misses(stream->handshakes));
}

bool ec_stream_report(ec_stream *stream, const struct ec_statistics *total, const char *ring_drops, GError **error)
{
    guint n = stream->interfaces->len;
    g_autofree struct ec_interface_statistics *interfaces = g_new0(struct ec_interface_statistics, n);
    uint64_t now = read_clock(CLOCK_BOOTTIME) + stream->epoch;
    g_autofree char *misses = ec_stream_format_misses(stream);

    for (guint i = 0; i < n; i++) {
        const struct interface *interface = &g_array_index(stream->interfaces, struct interface, i);

        interfaces[i] = (struct ec_interface_statistics){.interface = i,
                                                         .start = interface->start,
                                                         .now = now,
                                                         .received = interface->received,
                                                         .dropped = i == 0 ? total->drop_ring + total->drop_read : 0,
                                                         .remark = i == 0 && *misses ? misses : NULL,
                                                         .ring_drops = i == 0 && *ring_drops ? ring_drops : NULL};
    }
    FOREACH_SINK(stream, statistics, total, interfaces, n);
    return take_failure(stream, error);
}

bool ec_stream_close(ec_stream *stream, GError **error)
{
    bool ok = true;

    for (guint i = 0; i < stream->sinks->len; i++) {
        struct ec_sink *sink = g_ptr_array_index(stream->sinks, i);

        if (!sink->ops->close(sink, ok ? error : NULL))
            ok = false;
    }
    return ok;
}

int *ec_stream_get_sink_fds(const ec_stream *stream)
{
    int *fds = g_new(int, stream->sinks->len + 1);
    guint n = 0;

    for (guint i = 0; i < stream->sinks->len; i++) {
        struct ec_sink *sink = g_ptr_array_index(stream->sinks, i);
        int fd = sink->ops->get_fd ? sink->ops->get_fd(sink) : -1;

        if (fd >= 0)
            fds[n++] = fd;
    }
    fds[n] = -1;
    return fds;
}
