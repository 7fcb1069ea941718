/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tc programs: copy every packet that the filters accept into the ring, with its owner.
 *
 * A packet is recorded once: on egress, where skb->sk names the sender, or on ingress, where the
 * receiving socket is looked up. On lo both ends are local, and only egress is attached, where the receiver is looked
 * up too: a connection's packets leave in order, whereas on two CPUs they arrive out of order within microseconds, and
 * Wireshark can't decrypt what isn't in order. (GSO packets over 64 KiB are thus seen before the kernel cuts them.)
 * Nothing here changes the packet or its fate: TCX_NEXT always.
 *
 * Ring slots come in size classes: bpf_ringbuf_reserve() wants a constant, and one fixed maximum
 * would waste the ring. One bpf_skb_load_bytes() copies a whole packet, linear or not.
 */
#include "filter.bpf.h"
#include "owner.bpf.h"

#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stdbool.h>

/* include/uapi/linux/bpf.h, Linux 6.6; the same value as TC_ACT_UNSPEC */
#define NEXT (-1)

enum link { LINK_ETHERNET, LINK_IP };

EC_FILTER_SLOT(filter_eth, EC_FILTER_MAGIC_ETHERNET)
EC_FILTER_SLOT(filter_ip, EC_FILTER_MAGIC_IP)

/* Where a packet's record tells of an end of its flow that is local. Zero if nothing is known. */
struct end {
    struct ec_owner *owner;
    uint64_t *cookie;
};

struct transport {
    struct bpf_sock_tuple tuple; /* as the receiver looks itself up: s* is the packet's source */
    uint32_t tuple_size;
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP; 0: neither, or no ports in this fragment */
};

struct ipv4 {
    uint8_t version_ihl, tos;
    uint16_t len, id, fragment;
    uint8_t ttl, protocol;
    uint16_t check;
    uint32_t source, destination;
};

struct ipv6 {
    uint32_t version_class_flow;
    uint16_t len;
    uint8_t next, hops;
    uint32_t source[4], destination[4];
};

struct ports {
    uint16_t source, destination;
};

static __always_inline bool is_transport(uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* What nearly every packet begins with: one load of it is all that most need. */
struct start {
    uint16_t pad; /* so that what follows is aligned */
    uint8_t mac[12];
    uint16_t type;
    struct ipv4 ip;
    struct ports ports; /* if the IP header has no options */
};
#define START_ETHERNET (sizeof(struct start) - __builtin_offsetof(struct start, mac))
#define START_IP (sizeof(struct start) - __builtin_offsetof(struct start, ip))

static __always_inline bool parse_ipv4(struct __sk_buff *skb, uint32_t offset, struct start *start,
                                       struct transport *transport)
{
    const struct ipv4 *ip = &start->ip;

    if (!is_transport(ip->protocol) || ip->fragment & bpf_htons(0x1fff))
        return false;
    if (ip->version_ihl != 0x45 &&
        bpf_skb_load_bytes(skb, offset + (ip->version_ihl & 15) * 4, &start->ports, sizeof(start->ports)))
        return false;
    transport->tuple.ipv4.saddr = ip->source;
    transport->tuple.ipv4.daddr = ip->destination;
    transport->tuple.ipv4.sport = start->ports.source;
    transport->tuple.ipv4.dport = start->ports.destination;
    transport->tuple_size = sizeof(transport->tuple.ipv4);
    transport->protocol = ip->protocol;
    return true;
}

/* Extension headers that may stand before TCP or UDP, RFC 8200 4.1; a later fragment has no ports. */
static __always_inline bool skip_extensions(struct __sk_buff *skb, uint32_t *offset, uint8_t *next)
{
    for (int i = 0; i < 6; i++) {
        struct {
            uint8_t next, len;
            uint16_t fragment;
        } extension;

        if (is_transport(*next))
            return true;
        if (*next != IPPROTO_HOPOPTS && *next != IPPROTO_ROUTING && *next != IPPROTO_DSTOPTS &&
            *next != IPPROTO_FRAGMENT)
            return false;
        if (bpf_skb_load_bytes(skb, *offset, &extension, sizeof(extension)))
            return false;
        if (*next == IPPROTO_FRAGMENT && (extension.fragment & bpf_htons(0xfff8)))
            return false;
        *offset += *next == IPPROTO_FRAGMENT ? 8 : (extension.len + 1) * 8;
        *next = extension.next;
    }
    return false;
}

static __always_inline bool parse_ipv6(struct __sk_buff *skb, uint32_t offset, struct transport *transport)
{
    struct {
        struct ipv6 ip;
        struct ports ports; /* if no extension stands before them */
    } start;
    uint8_t next;

    if (bpf_skb_load_bytes(skb, offset, &start, sizeof(start)))
        return false;
    next = start.ip.next;
    offset += sizeof(start.ip);
    if (!is_transport(next) &&
        (!skip_extensions(skb, &offset, &next) || bpf_skb_load_bytes(skb, offset, &start.ports, sizeof(start.ports))))
        return false;
    __builtin_memcpy(transport->tuple.ipv6.saddr, start.ip.source, sizeof(start.ip.source));
    __builtin_memcpy(transport->tuple.ipv6.daddr, start.ip.destination, sizeof(start.ip.destination));
    transport->tuple.ipv6.sport = start.ports.source;
    transport->tuple.ipv6.dport = start.ports.destination;
    transport->tuple_size = sizeof(transport->tuple.ipv6);
    transport->protocol = next;
    return true;
}

static __always_inline bool load_start(struct __sk_buff *skb, enum link link, uint32_t *ret_offset, struct start *start)
{
    *ret_offset = 0;
    if (link == LINK_IP)
        return !bpf_skb_load_bytes(skb, 0, &start->ip, START_IP);
    *ret_offset = sizeof(struct ethhdr);
    if (bpf_skb_load_bytes(skb, 0, start->mac, START_ETHERNET))
        return false;
    /* The header behind an inner tag (the outer one is in the metadata) is read by its version too. */
    if (start->type == bpf_htons(ETH_P_8021Q) || start->type == bpf_htons(ETH_P_8021AD)) {
        *ret_offset += 4;
        if (bpf_skb_load_bytes(skb, 16, &start->type, sizeof(start->type) + START_IP))
            return false;
    }
    return start->type == bpf_htons(ETH_P_IP) || start->type == bpf_htons(ETH_P_IPV6);
}

static __noinline int parse_transport(struct __sk_buff *skb, enum link link, struct transport *transport)
{
    struct start start;
    uint32_t offset;

    if (!transport || !load_start(skb, link, &offset, &start))
        return 0;
    if (start.ip.version_ihl >> 4 == 4)
        return parse_ipv4(skb, offset, &start, transport);
    return start.ip.version_ihl >> 4 == 6 ? parse_ipv6(skb, offset, transport) : 0;
}

/* To make a number of a pointer: the verifier lets it be stored in a map only, and only for CAP_PERFMON. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, uint64_t);
} scratch SEC(".maps");

static __always_inline struct ec_socket *touched_find(struct bpf_sock *sk)
{
    uint32_t zero = 0;
    volatile uint64_t *slot = bpf_map_lookup_elem(&scratch, &zero);
    uint64_t key;

    if (!slot)
        return NULL;
    *slot = (uint64_t)sk;
    key = *slot;
    return bpf_map_lookup_elem(&touched, &key);
}

/* Who used the socket last; NULL: nobody is known. */
static __always_inline struct ec_socket *socket_find(struct bpf_sock *sk)
{
    struct ec_socket *entry = config.touched ? touched_find(sk) : NULL;

    return entry ? entry : bpf_sk_storage_get(&sockets, sk, NULL, 0);
}

static __always_inline void end_set(struct end end, const struct ec_socket *entry)
{
    *end.owner = entry->owner;
    *end.cookie = entry->cookie;
}

/* The sender, by skb->sk. A SYN-ACK's is a request socket: its listener owns it. */
static __always_inline void find_sender(struct __sk_buff *skb, struct end end)
{
    struct bpf_sock *sk = skb->sk, *full;
    struct ec_socket *entry;

    if (!sk)
        return;
    full = bpf_sk_fullsock(sk);
    if (!full)
        full = bpf_get_listener_sock(sk);
    entry = full ? socket_find(full) : NULL;
    /* A touched socket has no cookie yet; for what comes after its end, user space has to know it. */
    if (entry && config.touched && !entry->cookie && full == sk) {
        entry->cookie = bpf_get_socket_cookie(skb);
        owner_send(entry);
    }
    if (entry)
        end_set(end, entry);
    else
        *end.cookie = bpf_get_socket_cookie(skb);
}

static __always_inline void find_tcp_socket(struct __sk_buff *skb, struct transport *transport, struct end end)
{
    struct tcp_timewait_sock___ec *timewait;
    struct ec_socket *entry = NULL;
    struct bpf_sock *sk, *full;

    sk = bpf_skc_lookup_tcp(skb, &transport->tuple, transport->tuple_size, BPF_F_CURRENT_NETNS, 0);
    if (!sk)
        return;
    full = bpf_sk_fullsock(sk);
    if (!full)
        full = bpf_get_listener_sock(sk);
    if (full)
        entry = socket_find(full);
    if (entry) {
        end_set(end, entry);
    } else if (config.types == EC_TYPES_KERNEL) {
        timewait = (struct tcp_timewait_sock___ec *)bpf_skc_to_tcp_timewait_sock(sk);
        /* volatile: else clang merges this load with end_set()'s, and the verifier wants one pointer type. */
        if (timewait)
            *end.cookie = *(volatile long long *)&timewait->tw_sk.__tw_common.skc_cookie.counter;
    }
    bpf_sk_release(sk);
}

static __always_inline void find_udp_socket(struct __sk_buff *skb, struct transport *transport, struct end end)
{
    struct bpf_sock *sk = bpf_sk_lookup_udp(skb, &transport->tuple, transport->tuple_size, BPF_F_CURRENT_NETNS, 0);
    struct ec_socket *entry;

    if (!sk)
        return;
    entry = socket_find(sk);
    if (entry)
        end_set(end, entry);
    bpf_sk_release(sk);
}

static __always_inline void find_receiver(struct __sk_buff *skb, enum link link, struct end end)
{
    struct transport transport = {};

    if (!parse_transport(skb, link, &transport))
        return;
    if (transport.tuple_size != sizeof(transport.tuple.ipv4))
        transport.tuple_size = sizeof(transport.tuple.ipv6);
    if (transport.protocol == IPPROTO_TCP)
        find_tcp_socket(skb, &transport, end);
    else
        find_udp_socket(skb, &transport, end);
}

/* An end whose owner isn't known yet, but has a cookie, is for user space to decide. */
static __always_inline bool process_accepts(const struct ec_packet *packet)
{
    if (!config.filter_pid && !config.filter_uid)
        return true;
    if ((packet->owner.flags | packet->peer.flags) & EC_OWNER_MATCH)
        return true;
    return (!packet->owner.flags && packet->cookie) || (!packet->peer.flags && packet->peer_cookie);
}

/*
 * Reserves a slot for `limit` bytes of packet and fills it. `caplen` is at most `limit`: the barrier keeps clang from
 * proving that before the verifier sees it; and the verifier of Linux 6.1 learns that a length isn't 0 only from a
 * bound on length - 1.
 */
#define PUT(limit)                                                                                                     \
    do {                                                                                                               \
        struct ec_packet *slot = bpf_ringbuf_reserve(&near, sizeof(*slot) + (limit), 0);                               \
        bool is_near = slot;                                                                                           \
        uint32_t last = caplen - 1;                                                                                    \
                                                                                                                       \
        if (!slot)                                                                                                     \
            slot = bpf_ringbuf_reserve(&packets, sizeof(*slot) + (limit), 0);                                          \
        if (!slot) {                                                                                                   \
            counter_add(EC_DROP_PACKET_RING_FULL, 1);                                                                  \
            return NEXT;                                                                                               \
        }                                                                                                              \
        __builtin_memcpy(slot, packet, sizeof(*slot));                                                                 \
        slot->record.time = bpf_ktime_get_boot_ns();                                                                   \
        asm volatile("" : "+r"(last));                                                                                 \
        if (last >= (limit) || bpf_skb_load_bytes(skb, 0, slot->data, last + 1)) {                                     \
            counter_add(EC_DROP_PACKET_READ, 1);                                                                       \
            bpf_ringbuf_discard(slot, BPF_RB_NO_WAKEUP);                                                               \
            return NEXT;                                                                                               \
        }                                                                                                              \
        bpf_ringbuf_submit(slot, is_near ? wake_flags(&near, config.near_wake_bytes)                                   \
                                         : wake_flags(&packets, config.wake_bytes));                                   \
    } while (0)

static __always_inline int put(struct __sk_buff *skb, const struct ec_packet *packet)
{
    uint32_t caplen = packet->caplen;

    if (caplen <= 128)
        PUT(128);
    else if (caplen <= 384)
        PUT(384);
    else if (caplen <= 896)
        PUT(896);
    else if (caplen <= 1600)
        PUT(1600);
    else if (caplen <= 4096)
        PUT(4096);
    else if (caplen <= 9216)
        PUT(9216);
    else if (caplen <= 18432)
        PUT(18432);
    else if (caplen <= 36864)
        PUT(36864);
    else if (caplen <= 66560)
        PUT(66560);
    else if (caplen <= 133120)
        PUT(133120);
    else
        PUT(EC_SNAPLEN_MAX);
    return NEXT;
}

static __always_inline void fill(struct __sk_buff *skb, enum ec_direction direction, struct ec_packet *packet)
{
    packet->record.type = EC_RECORD_PACKET;
    packet->ifindex = skb->ifindex;
    packet->len = skb->len;
    packet->caplen = packet->len < config.snaplen ? packet->len : config.snaplen;
    packet->record.size = sizeof(*packet) + packet->caplen;
    packet->direction = direction;
    packet->gso_size = skb->gso_size;
    if (skb->vlan_present) {
        packet->flags |= EC_PACKET_VLAN;
        packet->vlan_tci = skb->vlan_tci;
        packet->vlan_proto = bpf_ntohs(skb->vlan_proto);
    }
    if (config.snaplen == EC_SNAPLEN_MAX && packet->len > EC_SNAPLEN_MAX) {
        packet->flags |= EC_PACKET_TRUNCATED;
        counter_add(EC_COUNT_TRUNCATED, 1);
    }
}

/* The capture filter. Sets EC_PACKET_UNFILTERED where user space has to run it. */
static __always_inline bool capture_filter_accepts(struct __sk_buff *skb, enum link link, uint8_t *flags)
{
    if (config.filter == EC_FILTER_NONE)
        return true;
    if (config.filter == EC_FILTER_USER || (config.filter_vlan && skb->vlan_present)) {
        *flags |= EC_PACKET_UNFILTERED;
        return true;
    }
    return link == LINK_ETHERNET ? filter_eth(skb) : filter_ip(skb);
}

static __always_inline int capture(struct __sk_buff *skb, enum link link, enum ec_direction direction, bool loopback)
{
    struct ec_packet packet = {};
    struct end end = {&packet.owner, &packet.cookie}, peer = {&packet.peer, &packet.peer_cookie};

    if (!capture_filter_accepts(skb, link, &packet.flags))
        return NEXT;
    if (direction == EC_DIRECTION_OUT)
        find_sender(skb, end);
    else
        find_receiver(skb, link, end);
    if (loopback)
        find_receiver(skb, link, peer);
    if (!process_accepts(&packet))
        return NEXT;
    fill(skb, direction, &packet);
    if (loopback)
        packet.flags |= EC_PACKET_LOOPBACK;
    return put(skb, &packet);
}

SEC("tc")
int ec_packet_eth_in(struct __sk_buff *skb)
{
    return capture(skb, LINK_ETHERNET, EC_DIRECTION_IN, false);
}

SEC("tc")
int ec_packet_eth_out(struct __sk_buff *skb)
{
    return capture(skb, LINK_ETHERNET, EC_DIRECTION_OUT, false);
}

SEC("tc")
int ec_packet_lo(struct __sk_buff *skb)
{
    return capture(skb, LINK_ETHERNET, EC_DIRECTION_OUT, true);
}

SEC("tc")
int ec_packet_ip_in(struct __sk_buff *skb)
{
    return capture(skb, LINK_IP, EC_DIRECTION_IN, false);
}

SEC("tc")
int ec_packet_ip_out(struct __sk_buff *skb)
{
    return capture(skb, LINK_IP, EC_DIRECTION_OUT, false);
}
