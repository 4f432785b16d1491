/* egress_test.c -- what decides about a network, on good and hostile inputs:
** names, addresses, policies, the first bytes of DNS, TLS, HTTP and SOCKS.
**
** Inputs stand right before a page that nobody may touch. Whatever is cut off
** at any byte is never taken for something whole.
*/
#include "check.h"
#include "edge.h"
#include "egress/head.h"
#include "egress/hello.h"
#include "egress/policy.h"
#include "egress/query.h"
#include "egress/socks.h"

#include <stdlib.h>
#include <string.h>

/* ---- names and addresses ---- */

static void names(void)
{
  static const char *const wrong[] = {
    "",           ".",          "..",          "a..b",     ".a",
    "a b",        "a\tb",       "1.2.3.4",     "a.1",      "a.0x1f",
    "2130706433", "b\303\244r", "a/b",         "a%2eb",    "a@b",
    "a:1",        "[::1]",      "a*b.example", "a\r\nb.c", "a.example.."};
  char name[CELL_NAME_SIZE], longest[CELL_NAME_SIZE + 1];
  size_t i;
  int right = 1;

  check(cell_name_read(name, "WWW.Example.COM.", 16) == 0 &&
          strcmp(name, "www.example.com") == 0,
        "a name is read in lower case, without its final dot #S099");
  check(cell_name_read(name, "xn--bcher-kva.example", 21) == 0 &&
          cell_name_read(name, "_dns.a-b.c2", 11) == 0,
        "names in punycode and with underscores are names");
  for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
    right &= cell_name_read(name, wrong[i], strlen(wrong[i])) < 0;
  check(right && cell_name_read(name, "a\0b", 3) < 0,
        "what some reader takes for another name or an address is none #S098");
  memset(longest, 'a', sizeof longest);
  check(cell_name_read(name, longest, 63) == 0 &&
          cell_name_read(name, longest, 64) < 0,
        "a label has 63 letters at most");
  for (i = 50; i < sizeof longest; i += 51)
    longest[i] = '.';
  check(cell_name_read(name, longest, 253) == 0 &&
          cell_name_read(name, longest, 254) < 0,
        "a name has 253 at most #S099");
  check(
    cell_name_is_below("a.b.c", "b.c") && !cell_name_is_below("b.c", "b.c") &&
      !cell_name_is_below("xb.c", "b.c") && !cell_name_is_below(".b.c", "b.c"),
    "below a name is what has one label more at least #S100");
  check(cell_name_port("443", 3) == 443 &&
          cell_name_port("65535", 5) == 65535 && !cell_name_port("65536", 5) &&
          !cell_name_port("0", 1) && !cell_name_port("080", 3) &&
          !cell_name_port("80 ", 3) && !cell_name_port("", 0) &&
          !cell_name_port("+1", 2),
        "a port is its decimal digits #S101");
}

static void reserved(void)
{
  static const char *const inner[] = {
    "0.0.0.0",       "10.255.255.255",  "100.64.0.1",      "100.127.255.255",
    "127.0.0.1",     "127.8.8.8",       "169.254.0.1",     "169.254.169.254",
    "172.16.0.1",    "172.31.255.255",  "192.0.0.1",       "192.0.2.1",
    "192.88.99.1",   "192.168.0.1",     "198.18.0.1",      "198.19.255.255",
    "198.51.100.1",  "203.0.113.1",     "224.0.0.1",       "239.1.1.1",
    "240.0.0.1",     "255.255.255.255", "168.63.129.16",   "::",
    "::1",           "::7f00:1",        "::ffff:10.0.0.5", "64:ff9b::10.0.0.5",
    "64:ff9b:1::1",  "100::1",          "2001::1",         "2001:db8::1",
    "2002:a00:5::1", "2002:7f00:1::",   "3fff::1",         "5f00::1",
    "fc00::1",       "fd00:ec2::254",   "fe80::1",         "fec0::1",
    "ff02::1"};
  static const char *const outer[] = {
    "1.1.1.1",     "9.255.255.255",  "11.0.0.0",         "100.63.255.255",
    "100.128.0.0", "128.0.0.1",      "172.15.255.255",   "172.32.0.0",
    "192.167.1.1", "198.17.255.255", "198.20.0.0",       "223.255.255.255",
    "2600::1",     "2a00:1450::1",   "64:ff9b::8.8.8.8", "2002:808:808::1"};
  static const char *const wrong[] = {
    "127.1",    "0177.0.0.1", "0x7f.0.0.1", "1.2.3", "1.2.3.4.5",
    "1.2.3.4 ", "1.2.3.04",   "::1%lo",     "[::1]", "256.1.1.1",
    ""};
  struct cell_address address, range;
  size_t i;
  int right = 1;

  for (i = 0; i < sizeof inner / sizeof *inner; i++)
    if (cell_address_parse(&address, inner[i], strlen(inner[i])) < 0 ||
        cell_address_reserved(&address) == NULL) {
      right = 0;
      printf("# %s\n", inner[i]);
    }
  check(right, "addresses inside, in every clothing, are refused #S095 #S096");
  for (i = 0, right = 1; i < sizeof outer / sizeof *outer; i++)
    if (cell_address_parse(&address, outer[i], strlen(outer[i])) < 0 ||
        cell_address_reserved(&address) != NULL) {
      right = 0;
      printf("# %s\n", outer[i]);
    }
  check(right, "and those of the world are not");
  for (i = 0, right = 1; i < sizeof wrong / sizeof *wrong; i++)
    right &= cell_address_parse(&address, wrong[i], strlen(wrong[i])) < 0;
  check(right, "an address has one spelling #S098");
  cell_address_parse(&address, "127.0.0.1", 9);
  check(cell_address_is_own(&address), "the loopback is this machine's own");
  cell_address_parse(&address, "10.1.2.3", 8);
  cell_address_parse(&range, "10.1.2.128", 10);
  check(cell_address_within(&address, &range, 96 + 24) &&
          !cell_address_within(&address, &range, 96 + 25),
        "a range is as many bits as it says");
}

/* ---- policies ---- */

static enum cell_decision decide(struct cell_policy *policy, const char *host)
{
  struct cell_target target;

  if (cell_target_read(&target, host, strlen(host), 443) < 0)
    return CELL_NOT_ALLOWED;
  return cell_policy_decide(policy, &target);
}

static int allow(struct cell_policy *policy, const char *text)
{
  return cell_policy_allow(policy, text, strlen(text), NULL);
}

static void policies(void)
{
  struct cell_policy *policy = cell_policy_new(CELL_NETWORK_NAMED, NULL);
  struct cell_address address;

  if (policy == NULL)
    abort();
  check(allow(policy, "Good.Example") == 0 &&
          allow(policy, "*.wild.example:8443") == 0 &&
          allow(policy, "10.1.0.0/16") == 0 &&
          allow(policy, "[fd00::1]:5432") == 0 &&
          cell_policy_deny(policy, "bad.wild.example", 16, NULL) == 0 &&
          cell_policy_deny(policy, "10.1.9.9", 8, NULL) == 0,
        "names, wildcards, addresses and ranges are entries");
  check(decide(policy, "good.example") == CELL_ALLOWED &&
          decide(policy, "good.example:80") == CELL_ALLOWED &&
          decide(policy, "good.example:22") == CELL_NOT_PORT &&
          decide(policy, "www.good.example") == CELL_NOT_ALLOWED,
        "a name is itself, for 80 and 443 #S101");
  check(decide(policy, "a.b.wild.example:8443") == CELL_ALLOWED &&
          decide(policy, "a.wild.example") == CELL_NOT_PORT &&
          decide(policy, "wild.example:8443") == CELL_NOT_ALLOWED &&
          decide(policy, "bad.wild.example:8443") == CELL_DENIED,
        "a wildcard is what is below it, and a denied one wins #S100");
  check(decide(policy, "10.1.2.3") == CELL_NAMED &&
          decide(policy, "10.1.9.9") == CELL_DENIED &&
          decide(policy, "10.2.0.1") == CELL_NOT_ALLOWED &&
          decide(policy, "[fd00::1]:5432") == CELL_NAMED &&
          decide(policy, "[::ffff:10.1.2.3]") == CELL_NAMED,
        "an address is decided by itself, however it is written");
  cell_address_parse(&address, "10.1.2.3", 8);
  check(cell_policy_refuses(policy, &address, 443) == NULL &&
          cell_policy_refuses(policy, &address, 22) != NULL,
        "a name may lead to an address that is named, at its ports #S097");
  cell_address_parse(&address, "8.8.8.8", 7);
  check(cell_policy_refuses(policy, &address, 443) == NULL,
        "and to one of the world");
  cell_policy_release(policy);
}

/* ---- questions for names ---- */

static void questions(void)
{
  static const unsigned char good[] =
    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03wWw\x07"
    "example\x00\x00\x01\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00";
  static const unsigned char address[4] = {198, 18, 0, 2};
  unsigned char reply[CELL_QUERY_REPLY], bytes[CELL_QUERY_MAX + 1];
  size_t size = sizeof good - 1, i, length;
  struct cell_query query;
  int right = 1;

  check(cell_query_read(&query, at_the_edge(good, size), size) == 0 &&
          strcmp(query.name, "www.example") == 0 && query.wants_address &&
          query.extended,
        "a question is read");
  length = cell_query_reply(reply, good, &query, 0, address);
  check(length == query.question + 16 + 11 && memcmp(reply, good, 2) == 0 &&
          memcmp(reply + 12, good + 12, query.question - 12) == 0 &&
          memcmp(reply + query.question + 12, address, 4) == 0,
        "and answered with its own bytes");
  for (i = 0; i < size; i++) {
    int code = cell_query_read(&query, at_the_edge(good, i), i);

    right &= i < 29 ? code != 0 : code == 0;
  }
  check(right, "a question that is cut off is none #S099");
  memset(bytes, 0, sizeof bytes);
  check(
    cell_query_read(&query, at_the_edge(bytes, sizeof bytes), sizeof bytes) < 0,
    "nor is one that is too long");
  memcpy(bytes, good, size);
  bytes[2] |= 0x80;
  check(cell_query_read(&query, bytes, size) < 0, "an answer is not answered");
}

/* ---- TLS ---- */

/* A hello for that name in one message; records of `cut` bytes each. */
static size_t make_hello(unsigned char *bytes, const char *name, size_t cut)
{
  unsigned char message[512] = {1, 0, 0, 0, 3, 3};
  size_t length = strlen(name), used = 6 + 32, at, out = 0;

  message[used++] = 0;                           /* session */
  memcpy(message + used, "\0\2\x13\x01\1\0", 6); /* suites, compression */
  used += 6;
  message[used++] = 0;
  message[used++] = (unsigned char)(name[0] ? length + 9 + 4 : 4);
  memcpy(message + used, "\x00\x2b\x00\x00", 4); /* some other extension */
  used += 4;
  if (name[0]) {
    memcpy(message + used, "\0\0\0\0\0\0\0\0\0", 9);
    message[used + 3] = (unsigned char)(length + 5);
    message[used + 5] = (unsigned char)(length + 3);
    message[used + 8] = (unsigned char)length;
    memcpy(message + used + 9, name, length);
    used += length + 9;
  }
  message[3] = (unsigned char)(used - 4);
  for (at = 0; at < used; at += cut) {
    size_t part = used - at < cut ? used - at : cut;

    memcpy(bytes + out, "\x16\x03\x01\x00", 4);
    bytes[out + 4] = (unsigned char)part;
    memcpy(bytes + out + 5, message + at, part);
    out += part + 5;
  }
  return out;
}

static void hellos(void)
{
  unsigned char bytes[4096];
  char name[CELL_NAME_SIZE];
  size_t size, i, cut;
  int right = 1;

  for (cut = 1; cut <= 200; cut += 33) {
    size = make_hello(bytes, "Good.Example", cut);
    right &= cell_hello_read(at_the_edge(bytes, size), size, name) ==
               CELL_HELLO_NAMED &&
             strcmp(name, "good.example") == 0;
    for (i = 0; i < size; i++)
      right &=
        cell_hello_read(at_the_edge(bytes, i), i, name) == CELL_HELLO_MORE;
  }
  check(right, "the server name is read, however the hello is cut #S102");
  size = make_hello(bytes, "", 200);
  check(cell_hello_read(at_the_edge(bytes, size), size, name) ==
          CELL_HELLO_NAMELESS,
        "a hello without a name says so");
  size = make_hello(bytes, "127.0.0.1", 200);
  check(cell_hello_read(at_the_edge(bytes, size), size, name) ==
          CELL_HELLO_MALFORMED,
        "an address is no name");
  size = make_hello(bytes, "good.example", 200);
  for (i = 0, right = 1; i < size; i++) {
    unsigned char kept = bytes[i];

    bytes[i] ^= 0x80;
    cell_hello_read(at_the_edge(bytes, size), size, name);
    bytes[i] = kept;
  }
  check(right, "a damaged hello is read within its bytes");
  memset(bytes, 0x16, sizeof bytes);
  check(cell_hello_read(bytes, sizeof bytes, name) == CELL_HELLO_MALFORMED,
        "other bytes are no hello");
}

/* ---- HTTP ---- */

static int head_of(const char *text, size_t size, struct cell_head *head)
{
  return cell_head_read(head, at_the_edge(text, size), size);
}

static void heads(void)
{
  static const char good[] = "GET /x HTTP/1.1\r\nHost: good.example \r\n"
                             "A:b\r\n\r\n";
  static const char *const wrong[] = {
    "GET /x HTTP/2.0\r\n\r\n",
    "GET  /x HTTP/1.1\r\n\r\n",
    "GET /x y HTTP/1.1\r\n\r\n",
    "GET /x\r\n\r\n",
    " GET /x HTTP/1.1\r\n\r\n",
    "get /x HTTP/1.1\r\n\r\n",
    "GET /x HTTP/1.1\n\n",
    "GET /x HTTP/1.1\r\nA: b\n\r\n",
    "GET /x HTTP/1.1\r\nA: b\rc\r\n\r\n",
    "GET /x HTTP/1.1\r\n A: b\r\n\r\n",
    "GET /x HTTP/1.1\r\nA : b\r\n\r\n",
    "GET /x HTTP/1.1\r\n: b\r\n\r\n",
    "GET /x HTTP/1.1\r\nA\r\n\r\n",
    "GET /x HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
    "GET /x HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
    "GET /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
    "GET /x HTTP/1.1\r\nUpgrade: H2C\r\n\r\n",
    "GET /x HTTP/1.1\r\nUpgrade: websocket, h2c\r\n\r\n",
    "GET /x HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
    "GET /x HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
    "GET /x HTTP/1.1\r\nContent-Length:\r\n\r\n",
    "GET /x HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "GET /x HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    "\x16\x03\x01\x00\x05hello"};
  struct cell_head head;
  size_t i, size = sizeof good - 1;
  int right = 1;

  check(head_of(good, size, &head) == 1 && head.length == size &&
          head.host_length == 12 &&
          memcmp(head.host, "good.example", 12) == 0 && head.target_length == 2,
        "the head of a request is read");
  for (i = 1; i < size; i++)
    right &= head_of(good, i, &head) == 0;
  check(right, "as long as it is cut off there is none");
  for (i = 0, right = 1; i < sizeof wrong / sizeof *wrong; i++)
    if (head_of(wrong[i], strlen(wrong[i]), &head) != -1) {
      right = 0;
      printf("# %s\n", wrong[i]);
    }
  check(right, "what can be read in two ways is refused #S105");
  check(head_of("GET /x HTTP/1.1\r\nA: \0\r\n\r\n", 25, &head) == -1,
        "and so is a NUL");
}

/* ---- SOCKS ---- */

static void socks(void)
{
  static const unsigned char good[] =
    "\x05\x01\x00\x03\x0cgood.example\x01\xbb";
  struct cell_target target;
  enum cell_socks_reply reply;
  size_t size = sizeof good - 1, i;
  int right = 1;

  check(cell_socks_request(at_the_edge(good, size), size, &target, &reply) ==
            (long)size &&
          strcmp(target.name, "good.example") == 0 && target.port == 443,
        "a request of SOCKS is read");
  for (i = 0; i < size; i++)
    right &= cell_socks_request(at_the_edge(good, i), i, &target, &reply) == 0;
  check(right, "and not before it is whole");
  check(cell_socks_methods(at_the_edge("\5\2\2\0", 4), 4) == 4 &&
          cell_socks_methods(at_the_edge("\5\1\2", 3), 3) == -1 &&
          cell_socks_methods(at_the_edge("\5\0", 2), 2) == -1 &&
          cell_socks_methods(at_the_edge("\4\1\0", 3), 3) == -1 &&
          cell_socks_methods(at_the_edge("\5\2\0", 3), 3) == 0,
        "no method but the one without a password");
  check(cell_socks_request(at_the_edge("\5\2\0\1\1", 5), 5, &target, &reply) ==
            -1 &&
          reply == CELL_SOCKS_NO_COMMAND &&
          cell_socks_request(at_the_edge("\5\1\0\2\1", 5), 5, &target,
                             &reply) == -1 &&
          reply == CELL_SOCKS_NO_ADDRESS,
        "no command but to connect");
}

int main(void)
{
  names();
  reserved();
  policies();
  questions();
  hellos();
  heads();
  socks();
  return check_status();
}
