/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wiretap writes into a memory file, which is mapped once. Its stdio stream writes at the file's offset, which the
 * descriptor kept here shares; setting that to 0 after a flush makes the stream start over, since
 * glibc's and musl's streams that were only ever written to ask for no position.
 *
 * That costs several copies and system calls. Of a pcapng file it is therefore done once per label: the options that
 * wiretap wrote behind a label's first packet are kept, and go behind the others as they are. What is complete is
 * gathered in a window of plain memory.
 */
#include "encoder.h"
#include "block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes of a packet's block beyond its data: 32 of fixed parts, padding, two comments of at most
 * 140 or a message's of EC_BLOCK_TEXT_MAX, four short options. */
#define PACKET_OVERHEAD_MAX 1280u
/* Bytes of the file's header, or of an interface block: three texts of at most EC_BLOCK_TEXT_MAX. */
#define HEADER_MAX 4096u
/* The longest that is added after ec_encoder_is_full() said no: a packet, behind its secrets and
 * process blocks. */
#define MAP_LEN (EC_ENCODER_WINDOW + 2 * EC_BLOCK_MAX)

#define NSEC_PER_SEC 1000000000u

struct ec_encoder {
    enum ec_encoder_format format;
    wtap_dumper *dumper;
    wtap_rec rec;
    int fd;
    uint8_t *map;    /* of the memory file, MAP_LEN bytes */
    bool pending;    /* wiretap has written what isn't in the window yet */
    uint8_t *window; /* MAP_LEN bytes */
    size_t len;      /* of them in use */
    size_t used_max; /* bytes in the window and pending, at most */
    size_t wipe;     /* bytes of map and window that have been in use */
};

void ec_encoder_init(void)
{
    static gsize done;

    if (!g_once_init_enter(&done))
        return;
    /* Below this level wiretap logs each packet. */
    ws_log_set_level(LOG_LEVEL_WARNING);
    wtap_init(false);
    g_once_init_leave(&done, 1);
}

/* Consumes `info`. */
static bool wiretap_fail(int code, char *info, GError **error)
{
    g_set_error(error, EC_SINK_ERROR, code == WTAP_ERR_UNWRITABLE_ENCAP ? EC_SINK_ERROR_FORMAT : EC_SINK_ERROR_WRITE,
                "wiretap can't write this: %s%s%s", wtap_strerror(code), info ? ": " : "", info ? info : "");
    g_free(info);
    return false;
}

static bool encoder_open_memory(ec_encoder *encoder, GError **error)
{
    void *map = MAP_FAILED;

    encoder->fd = memfd_create("ecapture", MFD_CLOEXEC);
    if (encoder->fd >= 0 && ftruncate(encoder->fd, MAP_LEN) == 0)
        map = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, encoder->fd, 0);
    if (map == MAP_FAILED) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE,
                    "no memory file (memfd_create): %s: raise the limits of memory and file size (ulimit)",
                    g_strerror(errno));
        return false;
    }
    encoder->map = map;
    return true;
}

/* wiretap's stream closes its descriptor, so it gets one of its own. */
static bool encoder_open_dumper(ec_encoder *encoder, enum ec_encoder_format format, const wtap_dump_params *params,
                                GError **error)
{
    int type = format == EC_ENCODER_PCAPNG ? wtap_pcapng_file_type_subtype() : wtap_pcap_nsec_file_type_subtype();
    int fd = fcntl(encoder->fd, F_DUPFD_CLOEXEC, 3);
    char *info = NULL;
    int code = 0;

    /* On failure wiretap has closed the descriptor, or not: it can't be told, so it is not tried again. */
    encoder->dumper = wtap_dump_fdopen(fd, type, WTAP_UNCOMPRESSED, params, &code, &info);
    return encoder->dumper || wiretap_fail(code, info, error);
}

ec_encoder *ec_encoder_new(enum ec_encoder_format format, const wtap_dump_params *params, GError **error)
{
    g_autoptr(ec_encoder) encoder = g_new0(ec_encoder, 1);

    encoder->fd = -1;
    encoder->format = format;
    encoder->window = g_malloc(MAP_LEN);
    ec_encoder_init();
    if (!encoder_open_memory(encoder, error) || !encoder_open_dumper(encoder, format, params, error))
        return NULL;
    ec_wtap_rec_prepare(&encoder->rec);
    encoder->pending = true;
    encoder->used_max = HEADER_MAX;
    return g_steal_pointer(&encoder);
}

void ec_encoder_free(ec_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->dumper) {
        g_autofree char *info = NULL;
        int code = 0;

        /* What is still buffered goes into memory that is about to be wiped. */
        (void)ec_wtap_dump_close(encoder->dumper, &code, &info);
    }
    encoder->wipe = MIN(MAX(encoder->wipe, encoder->used_max), MAP_LEN);
    if (encoder->map) {
        explicit_bzero(encoder->map, encoder->wipe);
        munmap(encoder->map, MAP_LEN);
    }
    explicit_bzero(encoder->window, encoder->wipe);
    g_free(encoder->window);
    if (encoder->fd >= 0)
        close(encoder->fd);
    g_free(encoder);
}

/* What wiretap has written since the last time; the memory is overwritten when it writes again. */
static bool encoder_take_pending(ec_encoder *encoder, uint8_t **ret_data, size_t *ret_len, GError **error)
{
    int code = 0;
    off_t end;

    if (!wtap_dump_flush(encoder->dumper, &code))
        return wiretap_fail(code, NULL, error);
    end = lseek(encoder->fd, 0, SEEK_CUR);
    if (end < 0 || (size_t)end > MAP_LEN)
        return wiretap_fail(WTAP_ERR_INTERNAL, g_strdup("memory file overrun"), error);
    if (lseek(encoder->fd, 0, SEEK_SET) != 0)
        return wiretap_fail(errno, NULL, error);
    if (encoder->format == EC_ENCODER_PCAPNG && !ec_block_patch(encoder->map, (size_t)end)) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT,
                    "wiretap wrote a packet block of unknown form: build with Wireshark 4.0 to 4.6");
        return false;
    }
    encoder->wipe = MAX(encoder->wipe, (size_t)end);
    encoder->pending = false;
    *ret_data = encoder->map;
    *ret_len = (size_t)end;
    return true;
}

static bool window_append(ec_encoder *encoder, const void *data, size_t len, GError **error)
{
    if (len > MAP_LEN - encoder->len)
        return wiretap_fail(WTAP_ERR_INTERNAL, g_strdup("window overrun"), error);
    memcpy(encoder->window + encoder->len, data, len);
    encoder->len += len;
    return true;
}

/* Moves what wiretap has written to the window's end. */
static bool encoder_gather(ec_encoder *encoder, GError **error)
{
    uint8_t *data;
    size_t len;

    return !encoder->pending ||
           (encoder_take_pending(encoder, &data, &len, error) && window_append(encoder, data, len, error));
}

bool ec_encoder_add_interface(ec_encoder *encoder, wtap_block_t interface, GError **error)
{
    char *info = NULL;
    int code = 0;

    encoder->used_max += HEADER_MAX;
    encoder->pending = true;
    return wtap_dump_add_idb(encoder->dumper, interface, &code, &info) || wiretap_fail(code, info, error);
}

static bool encoder_dump(ec_encoder *encoder, const struct ec_sink_packet *packet, uint32_t caplen, int encap,
                         wtap_block_t options, GError **error)
{
    wtap_rec *rec = &encoder->rec;
    wtap_packet_header *header = &rec->rec_header.packet_header;
    char *info = NULL;
    int code = 0;

    rec->ts.secs = (time_t)(packet->time / NSEC_PER_SEC);
    rec->ts.nsecs = (int)(packet->time % NSEC_PER_SEC);
    rec->block = options;
    header->interface_id = packet->interface;
    header->pkt_encap = encap;
    header->len = packet->len;
    header->caplen = caplen;
    encoder->pending = true;
    return ec_wtap_dump(encoder->dumper, rec, packet->data, &code, &info) || wiretap_fail(code, info, error);
}

/* A label's first packet: learns how wiretap writes its options. */
static bool encoder_learn(ec_encoder *encoder, const struct ec_sink_packet *packet, uint32_t caplen, int encap,
                          struct ec_label *label, GError **error)
{
    size_t start, len;
    const uint8_t *options;

    if (!encoder_gather(encoder, error))
        return false;
    start = encoder->len;
    if (!encoder_dump(encoder, packet, caplen, encap, label->block, error) || !encoder_gather(encoder, error))
        return false;
    options = ec_block_get_packet_options(encoder->window + start, encoder->len - start, &len);
    if (options)
        label->options = g_bytes_new(options, len);
    return true;
}

bool ec_encoder_add_packet(ec_encoder *encoder, const struct ec_sink_packet *packet, uint32_t caplen, int encap,
                           struct ec_label *label, GError **error)
{
    const uint8_t *options;
    size_t len;

    encoder->used_max += caplen + PACKET_OVERHEAD_MAX;
    if (!label || encoder->format != EC_ENCODER_PCAPNG)
        return encoder_dump(encoder, packet, caplen, encap, label ? label->block : NULL, error);
    if (!label->options)
        return encoder_learn(encoder, packet, caplen, encap, label, error);
    if (!encoder_gather(encoder, error))
        return false;
    options = g_bytes_get_data(label->options, &len);
    if (ec_block_packet_len(caplen, len) > MAP_LEN - encoder->len)
        return wiretap_fail(WTAP_ERR_INTERNAL, g_strdup("window overrun"), error);
    encoder->len += ec_block_write_packet(encoder->window + encoder->len, packet, caplen, options, len);
    return true;
}

bool ec_encoder_add_bytes(ec_encoder *encoder, const void *data, size_t len, GError **error)
{
    encoder->used_max += len;
    return encoder_gather(encoder, error) && window_append(encoder, data, len, error);
}

bool ec_encoder_is_full(const ec_encoder *encoder)
{
    return encoder->used_max >= EC_ENCODER_WINDOW;
}

bool ec_encoder_is_empty(const ec_encoder *encoder)
{
    return encoder->used_max == 0;
}

bool ec_encoder_take(ec_encoder *encoder, uint8_t **ret_data, size_t *ret_len, GError **error)
{
    encoder->used_max = 0;
    if (encoder->len == 0 && encoder->pending)
        return encoder_take_pending(encoder, ret_data, ret_len, error);
    if (!encoder_gather(encoder, error))
        return false;
    encoder->wipe = MAX(encoder->wipe, encoder->len);
    *ret_data = encoder->window;
    *ret_len = encoder->len;
    encoder->len = 0;
    return true;
}
