/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The user's capture filter, pcap-filter(7), for one link type: compiled to classic BPF by libpcap, run in
 * the kernel as eBPF, or in user space where that can't be (see ec_filter_generate).
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
typedef struct ec_filter ec_filter;

enum ec_filter_error {
    EC_FILTER_ERROR_SYNTAX, /* libpcap refuses the expression; its message is the error's */
    EC_FILTER_ERROR_SLOT,   /* the object has no such slot, or not as filter.bpf.h makes it */
    EC_FILTER_ERROR_SIZE,   /* the filter can't be translated or is larger than the slot */
};
#define EC_FILTER_ERROR (ec_filter_error_quark())
GQuark ec_filter_error_quark(void);

/* `text` NULL or empty: accepts everything. `dlt`: DLT_EN10MB (1) or DLT_RAW (12). A filter that can match
 * nothing on this link type ("arp" or "ether host" on raw IP) is an error of libpcap's, EC_FILTER_ERROR_SYNTAX;
 * where it is valid for the other link type, ec_filter_new_reject() is what it means. May ask the resolver for
 * the names in it. */
ec_filter *ec_filter_new(const char *text, int dlt, uint32_t snaplen, GError **error);
/* Rejects everything. */
ec_filter *ec_filter_new_reject(void);
void ec_filter_free(ec_filter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_filter, ec_filter_free)

/* Whether the expression says "vlan". A filter that doesn't is run over bytes without the tag that the kernel keeps in
 * metadata, one that does over bytes with that tag put back: so a live capture of tcpdump's comes out the same ("tcp"
 * takes tagged packets, "vlan and tcp" too, "not vlan" none of them). Where both kinds are joined by "or", the former
 * part misses tagged packets. */
bool ec_filter_tests_vlan(const ec_filter *filter);

/* `len`: bytes on the wire; `caplen` <= len of them are in `data`. */
bool ec_filter_match(const ec_filter *filter, const uint8_t *data, uint32_t caplen, uint32_t len);

/* Writes the filter as the body of an eBPF function: r1 = struct __sk_buff *, returns 0 to reject. False if it has
 * no such form (loops of `protochain`, extensions) or takes more than `capacity` instructions: filter in user space. */
bool ec_filter_generate(const ec_filter *filter, struct bpf_insn *insns, size_t capacity, size_t *ret_count);
/* Writes it into the slot `magic` (bpf/filter.bpf.h) of an eBPF object file, before libbpf opens it:
 *   copy the image (X__elf_bytes()), patch the copy once per slot, X__create_skeleton(), point skeleton->data at the
 *   copy, bpf_object__open_skeleton(); the copy may be freed then.
 * `image` is aligned to 8. A slot can be written once. On failure `image` is untouched. */
bool ec_filter_patch(const ec_filter *filter, uint32_t magic, void *image, size_t size, GError **error);

/* NULL if `filter` is a valid pcap-filter(7) for Ethernet or raw-IP interfaces, else libpcap's
 * message; free with g_free. Needs no privilege. */
char *ec_capture_filter_check(const char *filter);
