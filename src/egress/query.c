/* query.c -- see query.h. */
#include "query.h"

#include <string.h>

#define HEADER 12
#define LABEL_MAX 63
#define TYPE_A 1
#define TYPE_OPT 41
#define CLASS_IN 1
#define TIME_TO_LIVE 60
#define EXTENDED_SIZE 1232
#define OPTION_ERROR 15
#define ERROR_FILTERED 18 /* by the policy (RFC 8914: Prohibited) */

static unsigned number_at(const unsigned char *bytes)
{
  return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The labels as text. Where they end, or 0. `text` gets "" if a label holds
** what no name has.
*/
static size_t read_labels(const unsigned char *bytes, size_t size,
                          char text[CELL_NAME_SIZE])
{
  size_t at = HEADER, used = 0;
  int odd = 0;

  while (at < size && bytes[at] != 0) {
    size_t length = bytes[at++];

    if (length > LABEL_MAX || length > size - at ||
        used + length + 1 >= CELL_NAME_SIZE)
      return 0;
    if (memchr(bytes + at, '.', length) || memchr(bytes + at, 0, length))
      odd = 1;
    memcpy(text + used, bytes + at, length);
    used += length;
    text[used++] = '.';
    at += length;
  }
  text[odd ? 0 : used] = '\0';
  return at < size ? at + 1 : 0;
}

int cell_query_read(struct cell_query *query, const unsigned char *bytes,
                    size_t size)
{
  char text[CELL_NAME_SIZE];
  size_t at;

  memset(query, 0, sizeof *query);
  if (size < HEADER || size > CELL_QUERY_MAX || (bytes[2] & 0x80))
    return -1;
  query->question = HEADER;
  if ((bytes[2] & 0x78) != 0)
    return CELL_QUERY_NOT_DONE;
  at = read_labels(bytes, size, text);
  if (number_at(bytes + 4) != 1 || number_at(bytes + 6) != 0 ||
      number_at(bytes + 8) != 0 || at == 0 || size - at < 4)
    return CELL_QUERY_MALFORMED;
  query->question = at + 4;
  query->extended = number_at(bytes + 10) > 0 && size - query->question >= 11 &&
                    bytes[query->question] == 0 &&
                    number_at(bytes + query->question + 1) == TYPE_OPT;
  if (number_at(bytes + at + 2) != CLASS_IN)
    return CELL_QUERY_NO_NAME;
  query->wants_address = number_at(bytes + at) == TYPE_A;
  if (cell_name_read(query->name, text, strlen(text)) < 0)
    query->name[0] = '\0';
  return CELL_QUERY_FINE;
}

static void put(unsigned char **at, unsigned number)
{
  *(*at)++ = (unsigned char)(number >> 8);
  *(*at)++ = (unsigned char)number;
}

/* OPT: root, type, size of datagrams, nothing, and why if it was refused. */
static void put_extension(unsigned char **at, int refused)
{
  *(*at)++ = 0;
  put(at, TYPE_OPT);
  put(at, EXTENDED_SIZE);
  put(at, 0);
  put(at, 0);
  put(at, refused ? 6 : 0);
  if (refused) {
    put(at, OPTION_ERROR);
    put(at, 2);
    put(at, ERROR_FILTERED);
  }
}

size_t cell_query_reply(unsigned char reply[CELL_QUERY_REPLY],
                        const unsigned char *bytes,
                        const struct cell_query *query, int code,
                        const unsigned char *address)
{
  unsigned char *at = reply + query->question;

  memcpy(reply, bytes, query->question);
  memset(reply + 4, 0, HEADER - 4);
  /* An answer; the opcode and "recursion desired" as asked, and available. */
  reply[2] = (unsigned char)(0x80 | (bytes[2] & 0x79));
  reply[3] = (unsigned char)(0x80 | code);
  if (query->question == HEADER)
    return HEADER;
  reply[5] = 1;
  if (address != NULL) {
    reply[7] = 1;
    put(&at, 0xc000 | HEADER); /* the name of the question */
    put(&at, TYPE_A);
    put(&at, CLASS_IN);
    put(&at, 0);
    put(&at, TIME_TO_LIVE);
    put(&at, 4);
    memcpy(at, address, 4);
    at += 4;
  }
  if (query->extended) {
    reply[11] = 1;
    put_extension(&at, code == CELL_QUERY_NO_NAME);
  }
  return (size_t)(at - reply);
}
