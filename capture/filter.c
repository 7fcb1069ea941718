/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filter.h"

#include "abi.h"
#include "filter-classic.h"

#include <pcap/pcap.h>
#include <string.h>

G_DEFINE_QUARK(ec_filter_error, ec_filter_error)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pcap_t, pcap_close)

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct ec_classic_insn), "libpcap's instruction");
_Static_assert(offsetof(struct bpf_insn, k) == offsetof(struct ec_classic_insn, k), "libpcap's instruction");

static ec_filter *filter_copy(const void *insns, size_t count)
{
    ec_filter *filter = g_new0(ec_filter, 1);
    filter->insns = g_new(struct ec_classic_insn, count);
    memcpy(filter->insns, insns, count * sizeof(*filter->insns));
    filter->count = count;
    return filter;
}

/* "vlan" as a word of pcap-filter(7), not within a name or a number. */
static bool text_says_vlan(const char *text)
{
    static const char word_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    static const char word[] = "vlan";

    while (*text != '\0') {
        size_t len = strspn(text, word_characters);
        if (len == strlen(word) && memcmp(text, word, len) == 0)
            return true;
        text += len != 0 ? len : 1;
    }
    return false;
}

ec_filter *ec_filter_new(const char *text, int dlt, uint32_t snaplen, GError **error)
{
    struct bpf_program program = {0};
    g_autoptr(pcap_t) pcap = pcap_open_dead(dlt, (int)MIN(snaplen, (uint32_t)G_MAXINT));

    if (pcap == NULL) {
        g_set_error(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SYNTAX, "link type %d: not known to libpcap", dlt);
        return NULL;
    }
    if (pcap_compile(pcap, &program, text != NULL ? text : "", 1, PCAP_NETMASK_UNKNOWN) != 0) {
        g_set_error_literal(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SYNTAX, pcap_geterr(pcap));
        return NULL;
    }
    ec_filter *filter = filter_copy(program.bf_insns, program.bf_len);
    filter->tests_vlan = text != NULL && text_says_vlan(text);
    pcap_freecode(&program);
    return filter;
}

ec_filter *ec_filter_new_reject(void)
{
    const struct ec_classic_insn reject = {.code = BPF_RET | BPF_K, .k = 0};

    return filter_copy(&reject, 1);
}

void ec_filter_free(ec_filter *filter)
{
    if (filter == NULL)
        return;
    g_free(filter->insns);
    g_free(filter);
}

bool ec_filter_tests_vlan(const ec_filter *filter)
{
    return filter->tests_vlan;
}

bool ec_filter_match(const ec_filter *filter, const uint8_t *data, uint32_t caplen, uint32_t len)
{
    const struct bpf_program program = {.bf_len = (u_int)filter->count, .bf_insns = (struct bpf_insn *)filter->insns};
    const struct pcap_pkthdr header = {.caplen = caplen, .len = len};

    return pcap_offline_filter(&program, &header, data) != 0;
}

char *ec_capture_filter_check(const char *text)
{
    g_autoptr(GError) ethernet_error = NULL;
    g_autoptr(ec_filter) ethernet = ec_filter_new(text, DLT_EN10MB, EC_SNAPLEN_MAX, &ethernet_error);

    if (ethernet != NULL)
        return NULL;
    g_autoptr(ec_filter) ip = ec_filter_new(text, DLT_RAW, EC_SNAPLEN_MAX, NULL);
    return ip != NULL ? NULL : g_strdup(ethernet_error->message);
}
