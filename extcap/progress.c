/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress.h"

static uint64_t count_lost(const struct ec_statistics *total)
{
    return total->drop_ring + total->drop_read;
}

static uint64_t count_lost_secrets(const struct ec_statistics *total)
{
    return total->drop_secret_ring + total->drop_secret_fault + total->drop_secret_invalid +
           total->drop_secret_unproven;
}

/* ", 3 verified, 1 wrong", the second only if there are any; "" unless secrets are tried out. g_free. */
static char *format_verified(const struct ec_statistics *total, bool verify)
{
    g_autofree char *wrong = total->handshakes_wrong
                                 ? g_strdup_printf(", %" G_GUINT64_FORMAT " wrong", total->handshakes_wrong)
                                 : g_strdup("");

    return verify ? g_strdup_printf(", %" G_GUINT64_FORMAT " verified%s", total->handshakes_verified, wrong)
                  : g_strdup("");
}

char *ec_progress_format(const struct ec_statistics *total, bool verify)
{
    g_autofree char *size = g_format_size_full(total->bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *verified = format_verified(total, verify);

    return g_strdup_printf("%" G_GUINT64_FORMAT " packets, %s; handshakes: %" G_GUINT64_FORMAT
                           " with secrets%s, %" G_GUINT64_FORMAT " without; lost: %" G_GUINT64_FORMAT
                           " packets, %" G_GUINT64_FORMAT " secrets",
                           total->packets, size, total->handshakes_with_secrets, verified,
                           total->handshakes_without_secrets, count_lost(total), count_lost_secrets(total));
}

/* Every counter of ec_statistics that isn't part of the first lines. */
static const struct remark {
    size_t offset;
    const char *noun, *text; /* "2 packets lost": the noun takes the plural */
} remarks[] = {
    /* First: see ec_progress_format_text_summary() and _message_summary(). */
    {G_STRUCT_OFFSET(struct ec_statistics, messages), "message", "of plaintext, commands or statements"},
    {G_STRUCT_OFFSET(struct ec_statistics, handshakes_unmatched), "handshake",
     "gave secrets, but no packets in this capture"},
    {G_STRUCT_OFFSET(struct ec_statistics, late_secrets), "secret", "came too late for a packet"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_ring), "packet", "lost, the ring was full: raise --mapsize"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_read), "packet", "lost, unreadable in the kernel"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_queue), "packet", "not held for secrets, the queue was full"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_secret_ring), "secret", "lost, the ring was full"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_secret_fault), "secret", "lost, unreadable in the program's memory"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_secret_invalid), "secret", "refused, no valid label or length"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_secret_unproven), "secret",
     "of NSS refused, the key's value wasn't seen"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_owner_ring), "change", "of a socket's owner lost, the ring was full"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_message_ring), "message", "lost, the ring was full: raise --mapsize"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_message_fault), "message", "lost, unreadable in the program's memory"},
    {G_STRUCT_OFFSET(struct ec_statistics, drop_message_invalid), "message", "lost, not to be made sense of"},
    {G_STRUCT_OFFSET(struct ec_statistics, truncated), "packet", "cut at the greatest length there is"},
    {G_STRUCT_OFFSET(struct ec_statistics, unattributed), "TCP or UDP packet",
     "of this machine without a known process"},
    {G_STRUCT_OFFSET(struct ec_statistics, reordered), "packet", "whose time was raised to keep the order"},
};

static const char *get_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* From `first` on. */
static void append_remarks(GString *text, const struct ec_statistics *total, size_t first)
{
    for (size_t i = first; i < G_N_ELEMENTS(remarks); i++) {
        uint64_t count = G_STRUCT_MEMBER(uint64_t, total, remarks[i].offset);

        if (count)
            g_string_append_printf(text, "%" G_GUINT64_FORMAT " %s%s %s\n", count, remarks[i].noun, get_plural(count),
                                   remarks[i].text);
    }
}

char *ec_progress_format_message_summary(const struct ec_statistics *total)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT " message%s captured\n", total->messages,
                           get_plural(total->messages));
    append_remarks(text, total, 1);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* `misses`, `verify`: as of ec_progress_format_summary(). */
static void append_handshakes(GString *text, const struct ec_statistics *total, bool verify, const char *misses)
{
    g_autofree char *verified = format_verified(total, verify);

    if (!total->handshakes && !total->handshakes_without_secrets) {
        g_string_append(text, "no TLS handshakes seen\n");
        return;
    }
    g_string_append_printf(text,
                           "%" G_GUINT64_FORMAT " TLS handshake%s seen, %" G_GUINT64_FORMAT
                           " with secrets%s; %" G_GUINT64_FORMAT " without%s%s\n",
                           total->handshakes, get_plural(total->handshakes), total->handshakes_with_secrets, verified,
                           total->handshakes_without_secrets, *misses ? ": " : "", misses);
}

char *ec_progress_format_summary(const struct ec_statistics *total, bool verify, const char *misses,
                                 const char *ring_drops)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *size = g_format_size_full(total->bytes, G_FORMAT_SIZE_IEC_UNITS);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT " packet%s captured, %s\n", total->packets,
                           get_plural(total->packets), size);
    append_handshakes(text, total, verify, misses);
    g_string_append_printf(text,
                           "%" G_GUINT64_FORMAT " secret%s; %" G_GUINT64_FORMAT " packet%s and %" G_GUINT64_FORMAT
                           " secret%s lost\n",
                           total->secrets, get_plural(total->secrets), count_lost(total), get_plural(count_lost(total)),
                           count_lost_secrets(total), get_plural(count_lost_secrets(total)));
    append_remarks(text, total, 0);
    if (*ring_drops)
        g_string_append_printf(text, "packets lost, the ring was full, by CPU: %s\n", ring_drops);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *ec_progress_format_text_summary(const struct ec_statistics *total, const struct ec_text_counts *counts)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT " message%s shown\n", counts->shown, get_plural(counts->shown));
    if (counts->dropped)
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " not shown, the output was too slow\n", counts->dropped);
    /* The first one counts calls, of which a message may need several. */
    append_remarks(text, total, 1);
    return g_string_free(g_steal_pointer(&text), FALSE);
}
