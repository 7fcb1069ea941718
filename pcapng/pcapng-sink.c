/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wiretap writes the section, the interfaces and the packets into the encoder's window; secrets,
 * process blocks and statistics are added by hand: wiretap writes a DSB only before the next
 * packet, keeps its key material until the end, and has no process blocks; 4.0 writes statistics
 * only at its close.
 *
 * A Darwin process block is known by its number in the section. dumpcap repeats only the section and
 * interface blocks in each file of a ring, so there the numbers would name other processes:
 * they are written to a regular file alone.
 */
#include "pcapng-sink.h"
#include "block.h"
#include "encoder.h"
#include "exported-pdu.h"
#include "journal.h"
#include "label.h"
#include "synthetic.h"

#include <string.h>

/* dumpcap 4.0 and 4.2 crash at a section header block of more than 2,048 bytes. */
#define SECTION_TEXT_MAX 255u
#define NSEC_PER_SEC 1000000000u

struct interface_state {
    int encap;                            /* WTAP_ENCAP_ */
    uint64_t delivered;                   /* packets */
    uint64_t told_received, told_dropped; /* of the last statistics block */
    bool told;
};

/* Interfaces of messages, made when the first one comes. */
enum own_interface { OWN_PDU, OWN_PLAINTEXT, OWN_MAX };

static const struct ec_sink_interface own_interfaces[] = {
    [OWN_PLAINTEXT] = {.name = "plaintext", .linktype = EC_LINKTYPE_RAW, .snaplen = EC_SYNTHETIC_LEN_MAX},
    [OWN_PDU] = {.name = "ecapture-pdu", .linktype = EC_LINKTYPE_WIRESHARK_UPPER_PDU, .snaplen = EC_SNAPLEN_MAX},
};
_Static_assert(G_N_ELEMENTS(own_interfaces) == OWN_MAX, "a row per interface");

struct pcapng_sink {
    struct ec_sink sink;
    ec_output *output;
    GArray *sections;    /* the one section's wtap_block_t */
    ec_encoder *encoder; /* NULL before the first interface: wiretap begins no file without one */
    ec_label_cache *labels;
    bool comments;
    uint64_t start;            /* ns since the epoch */
    GArray *interfaces;        /* struct interface_state, as they stand in the file */
    GArray *numbers;           /* unsigned: the file's number of the session's i-th interface */
    int own[OWN_MAX];          /* likewise of ours, -1: not made yet */
    GByteArray *blocks;        /* scratch */
    GByteArray *pdu;           /* scratch */
    ec_synthetic *synthetic;   /* NULL before the first plaintext */
    bool wipe;                 /* the window holds secrets */
    struct ec_statistics told; /* in the last statistics comment */
    size_t secrets_len;
    char secrets[EC_BLOCK_SECRETS_MAX]; /* lines not written yet */
};

static struct pcapng_sink *pcapng_from_sink(struct ec_sink *sink)
{
    return (struct pcapng_sink *)((char *)sink - G_STRUCT_OFFSET(struct pcapng_sink, sink));
}

static bool pcapng_write_window(struct pcapng_sink *self, GError **error)
{
    uint8_t *data;
    size_t len;
    bool ok;

    if (!self->encoder || ec_encoder_is_empty(self->encoder))
        return true;
    if (!ec_encoder_take(self->encoder, &data, &len, error))
        return false;
    ok = ec_output_write(self->output, data, len, error);
    if (self->wipe)
        explicit_bzero(data, len);
    self->wipe = false;
    return ok;
}

static bool pcapng_add_blocks(struct pcapng_sink *self, GError **error)
{
    bool ok = ec_encoder_add_bytes(self->encoder, self->blocks->data, self->blocks->len, error);

    g_byte_array_set_size(self->blocks, 0);
    return ok;
}

static bool pcapng_add_secrets(struct pcapng_sink *self, GError **error)
{
    guint len;
    bool ok;

    if (!self->secrets_len || !self->encoder)
        return true;
    ec_block_append_secrets(self->blocks, self->secrets, self->secrets_len);
    self->secrets_len = 0;
    self->wipe = true;
    len = self->blocks->len;
    ok = pcapng_add_blocks(self, error);
    explicit_bzero(self->secrets, sizeof(self->secrets));
    explicit_bzero(self->blocks->data, len);
    return ok;
}

static wtap_block_t interface_block_new(const struct ec_sink_interface *interface, int encap)
{
    wtap_block_t block = wtap_block_create(WTAP_BLOCK_IF_ID_AND_INFO);
    wtapng_if_descr_mandatory_t *description = wtap_block_get_mandatory_data(block);

    description->wtap_encap = encap;
    description->time_units_per_second = NSEC_PER_SEC;
    description->tsprecision = WTAP_TSPREC_NSEC;
    description->snap_len = interface->snaplen;
    wtap_block_add_uint8_option(block, OPT_IDB_TSRESOL, 9);
    wtap_block_add_string_option(block, OPT_IDB_NAME, interface->name, strnlen(interface->name, EC_BLOCK_TEXT_MAX));
    if (interface->filter && *interface->filter) {
        g_autofree char *text = g_strndup(interface->filter, EC_BLOCK_TEXT_MAX);
        if_filter_opt_t filter = {.type = if_filter_pcap, .data.filter_str = text};

        wtap_block_add_if_filter_option(block, OPT_IDB_FILTER, &filter);
    }
    return block;
}

/* `interface` NULL: wiretap makes up an Ethernet one. */
static bool pcapng_open(struct pcapng_sink *self, wtap_block_t interface, GError **error)
{
    wtapng_iface_descriptions_t interfaces = {.interface_data = g_array_new(FALSE, FALSE, sizeof(wtap_block_t))};
    wtap_dump_params params = {
        .encap = interface ? WTAP_ENCAP_PER_PACKET : WTAP_ENCAP_ETHERNET,
        .tsprec = WTAP_TSPREC_NSEC,
        .shb_hdrs = self->sections,
        .idb_inf = &interfaces,
    };

    if (interface)
        g_array_append_val(interfaces.interface_data, interface);
    self->encoder = ec_encoder_new(EC_ENCODER_PCAPNG, &params, error);
    g_array_unref(interfaces.interface_data);
    return self->encoder != NULL;
}

/* Its number is the index of its state. */
static bool pcapng_add_interface(struct pcapng_sink *self, const struct ec_sink_interface *interface, GError **error)
{
    struct interface_state state = {.encap = wtap_pcap_encap_to_wtap_encap(interface->linktype)};
    wtap_block_t block;
    bool ok;

    if (state.encap == WTAP_ENCAP_UNKNOWN) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT,
                    "%s has link type %d, which wiretap doesn't know: leave it out", interface->name,
                    interface->linktype);
        return false;
    }
    block = interface_block_new(interface, state.encap);
    ok = self->encoder ? ec_encoder_add_interface(self->encoder, block, error) : pcapng_open(self, block, error);
    wtap_block_unref(block);
    g_array_append_val(self->interfaces, state);
    return ok;
}

static bool pcapng_interface(struct ec_sink *sink, const struct ec_sink_interface *interface, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);
    unsigned number = self->interfaces->len;

    g_assert(interface->id == self->numbers->len);
    g_array_append_val(self->numbers, number);
    return pcapng_add_interface(self, interface, error);
}

static bool pcapng_add_own(struct pcapng_sink *self, enum own_interface own, GError **error)
{
    if (self->own[own] >= 0)
        return true;
    self->own[own] = (int)self->interfaces->len;
    return pcapng_add_interface(self, &own_interfaces[own], error);
}

static struct interface_state *pcapng_get_state(struct pcapng_sink *self, unsigned number)
{
    g_assert(number < self->interfaces->len);
    return &g_array_index(self->interfaces, struct interface_state, number);
}

/* The session's interface, as the file numbers it. */
static unsigned pcapng_get_number(struct pcapng_sink *self, unsigned interface)
{
    g_assert(interface < self->numbers->len);
    return g_array_index(self->numbers, unsigned, interface);
}

static bool pcapng_secret(struct ec_sink *sink, const struct ec_secret *secret, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);

    if (self->secrets_len + EC_KEYLOG_LINE_LEN > sizeof(self->secrets)) {
        if (!self->encoder) {
            g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT, "secrets without an interface: capture on one");
            return false;
        }
        if (!pcapng_add_secrets(self, error))
            return false;
    }
    self->secrets_len += ec_keylog_line_format(secret, self->secrets + self->secrets_len);
    return true;
}

/* `packet->interface`: the file's number of it. */
static bool pcapng_write_packet(struct pcapng_sink *self, const struct ec_sink_packet *packet, struct ec_label *label,
                                GError **error)
{
    struct interface_state *state = pcapng_get_state(self, packet->interface);
    uint32_t caplen = MIN(packet->caplen, EC_SNAPLEN_MAX);

    if (!ec_encoder_add_packet(self->encoder, packet, caplen, state->encap, label, error))
        return false;
    state->delivered++;
    return !ec_encoder_is_full(self->encoder) || pcapng_write_window(self, error);
}

/* Likewise; `kind`: of its label. */
static bool pcapng_write_labeled(struct pcapng_sink *self, const struct ec_sink_packet *packet, uint32_t kind,
                                 GError **error)
{
    struct ec_label *label = ec_label_cache_get(self->labels, packet, kind, self->blocks);

    if (self->blocks->len && !pcapng_add_blocks(self, error))
        return false;
    return pcapng_add_secrets(self, error) && pcapng_write_packet(self, packet, label, error);
}

static bool pcapng_packet(struct ec_sink *sink, const struct ec_sink_packet *packet, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);
    struct ec_sink_packet view = *packet;

    view.interface = pcapng_get_number(self, packet->interface);
    return pcapng_write_labeled(self, &view, 0, error);
}

/* A message as a packet of one of our interfaces. `remark`: goes into its comment. */
static bool pcapng_write_own(struct pcapng_sink *self, enum own_interface own, struct ec_sink_packet *packet,
                             const char *remark, GError **error)
{
    struct ec_label label;
    bool ok;

    if (!pcapng_add_own(self, own, error))
        return false;
    packet->interface = (unsigned)self->own[own];
    ec_label_init_message(&label, packet->owner, packet->direction, self->comments, remark);
    ok = pcapng_write_packet(self, packet, &label, error);
    ec_label_clear(&label);
    return ok;
}

struct synthetic_output {
    struct pcapng_sink *self;
    struct ec_sink_packet packet;
    GError **error;
};

static bool synthetic_write(const uint8_t *packet, uint32_t len, enum ec_direction direction,
                            const struct ec_synthetic_port *real, void *data)
{
    const uint32_t kind = EC_LABEL_PLAINTEXT | (real->client ? EC_LABEL_CLIENT_PORT : 0) | real->port;
    struct synthetic_output *output = data;

    output->packet.data = packet;
    output->packet.len = output->packet.caplen = len;
    output->packet.direction = direction;
    return pcapng_write_labeled(output->self, &output->packet, kind, output->error);
}

/* Of one PDU, bytes: a call may move more than a block holds. */
#define PDU_PIECE_MAX 65536u

static bool pcapng_unaddressed(struct pcapng_sink *self, const struct ec_sink_plaintext *plaintext, GError **error)
{
    g_autofree char *remark = g_strdup_printf("plaintext conn=%" G_GUINT64_FORMAT, plaintext->connection->id);
    struct ec_sink_packet packet = {
        .time = plaintext->time, .direction = plaintext->direction, .owner = plaintext->owner};

    for (uint32_t at = 0; at < plaintext->len; at += PDU_PIECE_MAX) {
        g_byte_array_set_size(self->pdu, 0);
        ec_exported_pdu_append_plaintext(self->pdu, plaintext->data + at, MIN(PDU_PIECE_MAX, plaintext->len - at));
        packet.data = self->pdu->data;
        packet.len = packet.caplen = self->pdu->len;
        if (!pcapng_write_own(self, OWN_PDU, &packet, remark, error))
            return false;
    }
    return true;
}

static bool pcapng_plaintext(struct ec_sink *sink, const struct ec_sink_plaintext *plaintext, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);
    struct synthetic_output output = {
        .self = self, .packet = {.time = plaintext->time, .owner = plaintext->owner}, .error = error};

    if (!plaintext->connection->addressed)
        return pcapng_unaddressed(self, plaintext, error);
    if (!pcapng_add_own(self, OWN_PLAINTEXT, error))
        return false;
    if (!self->synthetic)
        self->synthetic = ec_synthetic_new();
    output.packet.interface = (unsigned)self->own[OWN_PLAINTEXT];
    return ec_synthetic_add(self->synthetic, plaintext, synthetic_write, &output);
}

static bool pcapng_statement(struct ec_sink *sink, const struct ec_sink_statement *statement, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);
    g_autofree char *remark = ec_exported_pdu_format_remark(statement);
    struct ec_sink_packet packet = {.time = statement->time, .direction = EC_DIRECTION_IN, .owner = statement->owner};

    g_byte_array_set_size(self->pdu, 0);
    ec_exported_pdu_append_statement(self->pdu, statement);
    packet.data = self->pdu->data;
    packet.len = packet.caplen = self->pdu->len;
    return pcapng_write_own(self, OWN_PDU, &packet, remark, error);
}

/* Its block belongs to no interface, but a section does not begin without one. */
static bool pcapng_command(struct ec_sink *sink, const struct ec_sink_command *command, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);

    if (!self->encoder && !pcapng_add_own(self, OWN_PDU, error))
        return false;
    ec_journal_append_command(self->blocks, command);
    return pcapng_add_blocks(self, error) && (!ec_encoder_is_full(self->encoder) || pcapng_write_window(self, error));
}

/* "name=value" of every counter, in the order of the struct. */
static char *statistics_format(const struct ec_statistics *total)
{
    static const struct {
        const char *name;
        size_t offset;
    } counters[] = {
#define COUNTER(name) {#name, offsetof(struct ec_statistics, name)}
        COUNTER(packets),
        COUNTER(bytes),
        COUNTER(messages),
        COUNTER(handshakes),
        COUNTER(handshakes_with_secrets),
        COUNTER(handshakes_verified),
        COUNTER(handshakes_wrong),
        COUNTER(handshakes_without_secrets),
        COUNTER(handshakes_unmatched),
        COUNTER(secrets),
        COUNTER(late_secrets),
        COUNTER(drop_ring),
        COUNTER(drop_queue),
        COUNTER(drop_read),
        COUNTER(drop_secret_ring),
        COUNTER(drop_secret_fault),
        COUNTER(drop_secret_invalid),
        COUNTER(drop_secret_unproven),
        COUNTER(drop_owner_ring),
        COUNTER(drop_message_ring),
        COUNTER(drop_message_fault),
        COUNTER(drop_message_invalid),
        COUNTER(truncated),
        COUNTER(unattributed),
        COUNTER(reordered),
#undef COUNTER
    };
    _Static_assert(G_N_ELEMENTS(counters) * sizeof(uint64_t) == sizeof(struct ec_statistics),
                   "a counter without a name");
    GString *text = g_string_sized_new(EC_BLOCK_TEXT_MAX);

    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++) {
        uint64_t value;

        memcpy(&value, (const char *)total + counters[i].offset, sizeof(value));
        g_string_append_printf(text, "%s%s=%" G_GUINT64_FORMAT, i ? " " : "", counters[i].name, value);
    }
    return g_string_free(text, FALSE);
}

/* True if a block of this interface would say nothing new. */
static bool is_told(struct interface_state *state, const struct ec_interface_statistics *now)
{
    bool told = state->told && state->told_received == now->received && state->told_dropped == now->dropped;

    state->told = true;
    state->told_received = now->received;
    state->told_dropped = now->dropped;
    return told;
}

static bool pcapng_tell(struct pcapng_sink *self, const struct ec_interface_statistics *now, const char *comment,
                        GError **error)
{
    struct interface_state *state = pcapng_get_state(self, now->interface);

    if (is_told(state, now) && !comment)
        return true;
    ec_block_append_statistics(self->blocks, now, state->delivered, comment);
    return pcapng_add_blocks(self, error);
}

/* Where there are messages alone, their interface's block says how many were lost. */
static bool pcapng_tell_messages(struct pcapng_sink *self, const struct ec_statistics *total, const char *comment,
                                 GError **error)
{
    struct ec_interface_statistics now = {
        .interface = (unsigned)self->own[OWN_PDU],
        .start = self->start,
        .now = (uint64_t)g_get_real_time() * 1000,
        .received = total->messages,
        .dropped = total->drop_message_ring + total->drop_message_fault + total->drop_message_invalid,
    };

    return self->own[OWN_PDU] < 0 || pcapng_tell(self, &now, comment, error);
}

/* The first interface's block carries the comment. What has not changed is not written again: an
 * idle capture doesn't grow. */
static bool pcapng_statistics(struct ec_sink *sink, const struct ec_statistics *total,
                              const struct ec_interface_statistics *interfaces, unsigned n_interfaces, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);
    g_autofree char *comment = memcmp(&self->told, total, sizeof(*total)) ? statistics_format(total) : NULL;

    self->told = *total;
    if (n_interfaces == 0 && !pcapng_tell_messages(self, total, comment, error))
        return false;
    for (unsigned i = 0; i < n_interfaces; i++) {
        struct ec_interface_statistics now = interfaces[i];

        now.interface = pcapng_get_number(self, now.interface);
        if (!pcapng_tell(self, &now, i == 0 ? comment : NULL, error))
            return false;
    }
    return !self->encoder || !ec_encoder_is_full(self->encoder) || pcapng_write_window(self, error);
}

static bool pcapng_flush(struct ec_sink *sink, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);

    return pcapng_add_secrets(self, error) && pcapng_write_window(self, error);
}

static bool pcapng_finish(struct ec_sink *sink, GError **error)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);

    if (ec_output_has_failed(self->output))
        return true;
    ec_output_set_hurry(self->output);
    return (self->encoder || pcapng_open(self, NULL, error)) && pcapng_flush(sink, error);
}

static bool pcapng_close(struct ec_sink *sink, GError **error)
{
    bool ok = pcapng_finish(sink, error);

    return ec_output_close(pcapng_from_sink(sink)->output, ok ? error : NULL) && ok;
}

static void pcapng_free(struct ec_sink *sink)
{
    struct pcapng_sink *self = pcapng_from_sink(sink);

    explicit_bzero(self->secrets, sizeof(self->secrets));
    ec_encoder_free(self->encoder);
    ec_label_cache_free(self->labels);
    ec_synthetic_free(self->synthetic);
    ec_output_free(self->output);
    wtap_block_array_free(self->sections);
    g_array_unref(self->interfaces);
    g_array_unref(self->numbers);
    g_byte_array_unref(self->blocks);
    g_byte_array_unref(self->pdu);
    g_free(self);
}

static int pcapng_get_fd(struct ec_sink *sink)
{
    return ec_output_get_fd(pcapng_from_sink(sink)->output);
}

static const struct ec_sink_ops pcapng_ops = {
    .name = "pcapng",
    .interface = pcapng_interface,
    .secret = pcapng_secret,
    .packet = pcapng_packet,
    .plaintext = pcapng_plaintext,
    .command = pcapng_command,
    .statement = pcapng_statement,
    .statistics = pcapng_statistics,
    .flush = pcapng_flush,
    .close = pcapng_close,
    .free = pcapng_free,
    .get_fd = pcapng_get_fd,
};

static void section_add_text(wtap_block_t section, unsigned option, const char *text)
{
    if (text && *text)
        wtap_block_add_string_option(section, option, text, strnlen(text, SECTION_TEXT_MAX));
}

static GArray *sections_new(const struct ec_pcapng_config *config)
{
    GArray *sections = g_array_new(FALSE, FALSE, sizeof(wtap_block_t));
    wtap_block_t section = wtap_block_create(WTAP_BLOCK_SECTION);

    section_add_text(section, OPT_SHB_HARDWARE, config->hardware);
    section_add_text(section, OPT_SHB_OS, config->os);
    section_add_text(section, OPT_SHB_USERAPPL, config->application);
    g_array_append_val(sections, section);
    return sections;
}

struct ec_sink *ec_pcapng_sink_new(int fd, const struct ec_pcapng_config *config, GError **error)
{
    g_autoptr(ec_output) output = ec_output_new(fd, ec_block_whole, error);
    struct pcapng_sink *self;

    if (!output)
        return NULL;
    ec_encoder_init();
    self = g_new0(struct pcapng_sink, 1);
    self->sink.ops = &pcapng_ops;
    self->output = g_steal_pointer(&output);
    self->sections = sections_new(config);
    self->labels = ec_label_cache_new(config->comments, ec_output_is_file(self->output));
    self->comments = config->comments;
    self->start = (uint64_t)g_get_real_time() * 1000;
    self->interfaces = g_array_new(FALSE, FALSE, sizeof(struct interface_state));
    self->numbers = g_array_new(FALSE, FALSE, sizeof(unsigned));
    self->pdu = g_byte_array_new();
    for (int i = 0; i < OWN_MAX; i++)
        self->own[i] = -1;
    /* Reserved, so that it doesn't move and leave a copy of secrets behind. */
    self->blocks = g_byte_array_sized_new(2 * EC_BLOCK_SECRETS_MAX);
    if (!config->no_packets || pcapng_add_own(self, OWN_PDU, error))
        return &self->sink;
    pcapng_free(&self->sink);
    return NULL;
}
