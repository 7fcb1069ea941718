/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pcap-sink.h"
#include "encoder.h"

#include <string.h>

/* pcap.h: LINKTYPE_ETHERNET, for a file that ends without an interface */
#define LINKTYPE_ETHERNET 1
/* Bytes of the file header and of a packet's header, draft-ietf-opsawg-pcap. */
#define FILE_HEADER_LEN 24u
#define PACKET_HEADER_LEN 16u

struct pcap_sink {
    struct ec_sink sink;
    ec_output *output;
    ec_encoder *encoder; /* NULL before the first interface, which says the link type */
    int linktype;
    int encap; /* WTAP_ENCAP_ */
};

static struct pcap_sink *pcap_from_sink(struct ec_sink *sink)
{
    return (struct pcap_sink *)((char *)sink - G_STRUCT_OFFSET(struct pcap_sink, sink));
}

/* As a packet's header the file header would be one without any data. */
static bool is_file_header(const uint8_t *data, size_t len)
{
    static const uint32_t header[4] = {
        0xa1b23c4d,                                                /* magic, nanoseconds */
        G_BYTE_ORDER == G_LITTLE_ENDIAN ? 0x00040002 : 0x00020004, /* version 2.4 */
    };

    return len >= FILE_HEADER_LEN && memcmp(data, header, sizeof(header)) == 0;
}

static size_t pcap_whole(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t whole = is_file_header(data, len) ? FILE_HEADER_LEN : 0;

    while (len - whole >= PACKET_HEADER_LEN) {
        uint32_t caplen;

        memcpy(&caplen, bytes + whole + 8, sizeof(caplen));
        if (caplen > len - whole - PACKET_HEADER_LEN)
            break;
        whole += PACKET_HEADER_LEN + caplen;
    }
    return whole;
}

static bool pcap_open(struct pcap_sink *self, int linktype, uint32_t snaplen, GError **error)
{
    wtap_dump_params params = {.snaplen = (int)snaplen, .tsprec = WTAP_TSPREC_NSEC};

    self->linktype = linktype;
    params.encap = self->encap = wtap_pcap_encap_to_wtap_encap(linktype);
    self->encoder = ec_encoder_new(EC_ENCODER_PCAP_NSEC, &params, error);
    return self->encoder != NULL;
}

static bool pcap_interface(struct ec_sink *sink, const struct ec_sink_interface *interface, GError **error)
{
    struct pcap_sink *self = pcap_from_sink(sink);

    if (!self->encoder)
        return pcap_open(self, interface->linktype, interface->snaplen, error);
    if (interface->linktype == self->linktype)
        return true;
    g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT,
                "pcap has one link type, here %d, and %s has %d: write pcapng, or choose interfaces of one type (-i)",
                self->linktype, interface->name, interface->linktype);
    return false;
}

static bool pcap_flush(struct ec_sink *sink, GError **error)
{
    struct pcap_sink *self = pcap_from_sink(sink);
    uint8_t *data;
    size_t len;

    if (!self->encoder || ec_encoder_is_empty(self->encoder))
        return true;
    return ec_encoder_take(self->encoder, &data, &len, error) && ec_output_write(self->output, data, len, error);
}

static bool pcap_packet(struct ec_sink *sink, const struct ec_sink_packet *packet, GError **error)
{
    struct pcap_sink *self = pcap_from_sink(sink);
    uint32_t caplen = MIN(packet->caplen, EC_SNAPLEN_MAX);

    g_assert(self->encoder);
    if (!ec_encoder_add_packet(self->encoder, packet, caplen, self->encap, NULL, error))
        return false;
    return !ec_encoder_is_full(self->encoder) || pcap_flush(sink, error);
}

static bool pcap_finish(struct ec_sink *sink, GError **error)
{
    struct pcap_sink *self = pcap_from_sink(sink);

    if (ec_output_has_failed(self->output))
        return true;
    ec_output_set_hurry(self->output);
    return (self->encoder || pcap_open(self, LINKTYPE_ETHERNET, EC_SNAPLEN_MAX, error)) && pcap_flush(sink, error);
}

static bool pcap_close(struct ec_sink *sink, GError **error)
{
    bool ok = pcap_finish(sink, error);

    return ec_output_close(pcap_from_sink(sink)->output, ok ? error : NULL) && ok;
}

static void pcap_free(struct ec_sink *sink)
{
    struct pcap_sink *self = pcap_from_sink(sink);

    ec_encoder_free(self->encoder);
    ec_output_free(self->output);
    g_free(self);
}

static int pcap_get_fd(struct ec_sink *sink)
{
    return ec_output_get_fd(pcap_from_sink(sink)->output);
}

static const struct ec_sink_ops pcap_ops = {
    .name = "pcap",
    .interface = pcap_interface,
    .packet = pcap_packet,
    .flush = pcap_flush,
    .close = pcap_close,
    .free = pcap_free,
    .get_fd = pcap_get_fd,
};

struct ec_sink *ec_pcap_sink_new(int fd, GError **error)
{
    g_autoptr(ec_output) output = ec_output_new(fd, pcap_whole, error);
    struct pcap_sink *self;

    if (!output)
        return NULL;
    ec_encoder_init();
    self = g_new0(struct pcap_sink, 1);
    self->sink.ops = &pcap_ops;
    self->output = g_steal_pointer(&output);
    return &self->sink;
}
