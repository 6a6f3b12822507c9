import { BlockList, isIPv4 } from "node:net";

/** IANA's special-purpose addresses, which no public service has: RFC 6890 and its registries. */
const IPV4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

/** Of IPv6 only the global unicast addresses are public, and not those that stand for an IPv4 address or a test. */
const IPV6_NOT_PUBLIC = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const;

const blocked = new BlockList();
for (const [network, prefix] of IPV4) blocked.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of IPV6_NOT_PUBLIC) blocked.addSubnet(network, prefix, "ipv6");
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");

/** Whether an IP address is none of the public internet's: loopback, link-local, private, reserved, multicast. */
export const isPrivateAddress = (address: string): boolean =>
  isIPv4(address)
    ? blocked.check(address, "ipv4")
    : !globalUnicast.check(address, "ipv6") || blocked.check(address, "ipv6");
