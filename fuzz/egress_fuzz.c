/* egress_fuzz.c -- what the code of a sandbox says to the network around it.
**
** The first byte of an input chooses who reads the rest: the name server, the
** one who looks for a TLS server name, the reader of HTTP heads, SOCKS, or the
** policy. Whatever is accepted is in the one form that decisions see.
**
** Run as frame_fuzz.c says, linked with the whole engine.
*/
#include "egress/head.h"
#include "egress/hello.h"
#include "egress/query.h"
#include "egress/request.h"
#include "egress/socks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void demand(int holds)
{
  if (!holds)
    abort();
}

/* A canonical name is read as itself. */
static void demand_canonical(const char *name)
{
  char again[CELL_NAME_SIZE];

  demand(cell_name_read(again, name, strlen(name)) == 0 &&
         strcmp(again, name) == 0);
}

static void read_query(const uint8_t *bytes, size_t size)
{
  static const unsigned char address[4] = {198, 18, 0, 2};
  unsigned char reply[CELL_QUERY_REPLY];
  struct cell_query query;
  int code = cell_query_read(&query, bytes, size);

  if (code < 0)
    return;
  if (query.name[0] != '\0')
    demand_canonical(query.name);
  demand(query.question <= size);
  demand(cell_query_reply(reply, bytes, &query, code,
                          code == 0 ? address : NULL) <= sizeof reply);
}

static void read_hello(const uint8_t *bytes, size_t size)
{
  char name[CELL_NAME_SIZE];

  if (cell_hello_read(bytes, size, name) == CELL_HELLO_NAMED)
    demand_canonical(name);
}

/* What is passed on is read as one request, with what came after it. */
static void write_request(const struct cell_head *head, const uint8_t *bytes,
                          size_t size)
{
  struct cell_head again;
  unsigned char *text;
  size_t written;

  if (cell_request_write(head, bytes, size, NULL, 0, &text, &written) < 0)
    return;
  demand(written <= 2 * size + 128);
  demand(cell_head_read(&again, text, written) == 1 &&
         again.host_length == head->host_length &&
         again.upgrades == head->upgrades &&
         written - again.length == size - head->length);
  free(text);
}

static void read_head(const uint8_t *bytes, size_t size)
{
  struct cell_head head;
  const char *name, *value;
  size_t at, name_length, value_length, fields = 0;

  if (cell_head_read(&head, bytes, size) != 1)
    return;
  demand(head.length <= size && head.line < head.length);
  at = head.line;
  while (cell_head_field(&head, bytes, &at, &name, &name_length, &value,
                         &value_length)) {
    demand(name_length > 0 &&
           (const uint8_t *)value + value_length <= bytes + head.length);
    fields++;
  }
  demand(at == head.length - 2 && fields <= size);
  write_request(&head, bytes, size);
}

static void read_socks(const uint8_t *bytes, size_t size)
{
  struct cell_target target;
  enum cell_socks_reply reply;
  long used = cell_socks_methods(bytes, size);

  demand(used <= (long)size);
  used = cell_socks_request(bytes, size, &target, &reply);
  demand(used <= (long)size);
  if (used > 0 && target.name[0] != '\0')
    demand_canonical(target.name);
}

static void read_policy(const uint8_t *bytes, size_t size)
{
  struct cell_policy *policy = cell_policy_new(CELL_NETWORK_NAMED, NULL);
  struct cell_target target;

  if (policy == NULL)
    return;
  cell_policy_allow(policy, (const char *)bytes, size, NULL);
  if (cell_target_read(&target, (const char *)bytes, size, 443) == 0) {
    if (target.name[0] != '\0')
      demand_canonical(target.name);
    cell_policy_decide(policy, &target);
  }
  cell_policy_release(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static void (*const readers[])(const uint8_t *, size_t) = {
    read_query, read_hello, read_head, read_socks, read_policy};

  if (size > 0)
    readers[bytes[0] % 5](bytes + 1, size - 1);
  return 0;
}
