/* hello.c -- see hello.h. */
#include "hello.h"

#include <string.h>

#define RECORD_HEADER 5
#define RECORD_MAX 16384
#define HANDSHAKE 22
#define CLIENT_HELLO 1
#define MESSAGE_HEADER 4
#define EXTENSION_NAME 0
#define NAME_OF_HOST 0

/* Where reading is, over records: a message may be cut into several. */
struct reader {
  const unsigned char *bytes;
  size_t at, size;
  size_t record; /* bytes of this record that are left */
  size_t left;   /* bytes of the message, or of a part of it, that are left */
  int more;      /* the bytes came to their end */
  int wrong;
};

static int open_record(struct reader *reader)
{
  const unsigned char *header = reader->bytes + reader->at;

  if (reader->size - reader->at < RECORD_HEADER) {
    reader->more = 1;
    return -1;
  }
  reader->record = (size_t)header[3] << 8 | header[4];
  if (header[0] != HANDSHAKE || header[1] != 3 || reader->record == 0 ||
      reader->record > RECORD_MAX) {
    reader->wrong = 1;
    return -1;
  }
  reader->at += RECORD_HEADER;
  return 0;
}

static unsigned take_byte(struct reader *reader)
{
  if (reader->more || reader->wrong)
    return 0;
  if (reader->left == 0) {
    reader->wrong = 1;
    return 0;
  }
  if (reader->record == 0 && open_record(reader) < 0)
    return 0;
  if (reader->at == reader->size) {
    reader->more = 1;
    return 0;
  }
  reader->record--;
  reader->left--;
  return reader->bytes[reader->at++];
}

static size_t take_number(struct reader *reader, int bytes)
{
  size_t number = 0;

  while (bytes-- > 0)
    number = number << 8 | take_byte(reader);
  return number;
}

static void skip(struct reader *reader, size_t count)
{
  while (count-- > 0 && !reader->more && !reader->wrong)
    take_byte(reader);
}

/* The list of names; the first of a host counts. 1: there was one. */
static int take_names(struct reader *reader, char name[CELL_NAME_SIZE])
{
  char text[CELL_NAME_SIZE];
  size_t i, length;
  unsigned sort;

  take_number(reader, 2);
  sort = take_byte(reader);
  length = take_number(reader, 2);
  if (sort != NAME_OF_HOST || length >= sizeof text)
    reader->wrong = 1;
  for (i = 0; i < length && !reader->wrong && !reader->more; i++)
    text[i] = (char)take_byte(reader);
  if (reader->wrong || reader->more)
    return 0;
  if (cell_name_read(name, text, length) < 0)
    reader->wrong = 1;
  return 1;
}

/* All of them are read: two with a name say nothing certain. */
static int take_extensions(struct reader *reader, char name[CELL_NAME_SIZE])
{
  size_t total;
  int named = 0;

  if (reader->left == 0)
    return 0;
  total = take_number(reader, 2);
  if (total != reader->left && !reader->more)
    reader->wrong = 1;
  while (reader->left > 0 && !reader->more && !reader->wrong) {
    size_t type = take_number(reader, 2), length = take_number(reader, 2);
    size_t after;

    if (reader->more || reader->wrong)
      break;
    if (length > reader->left) {
      reader->wrong = 1;
      break;
    }
    after = reader->left - length;
    if (type == EXTENSION_NAME && length > 0) {
      if (named)
        reader->wrong = 1;
      reader->left = length;
      named = take_names(reader, name);
      if (reader->left > 0 && !reader->more)
        reader->wrong = 1;
      reader->left = after;
    } else {
      skip(reader, length);
    }
  }
  return named;
}

enum cell_hello_state cell_hello_read(const unsigned char *bytes, size_t size,
                                      char name[CELL_NAME_SIZE])
{
  struct reader reader = {0};
  int named;

  name[0] = '\0';
  reader.bytes = bytes;
  reader.size = size;
  reader.left = MESSAGE_HEADER;
  if (take_byte(&reader) != CLIENT_HELLO && !reader.more)
    reader.wrong = 1;
  reader.left = take_number(&reader, 3);
  if (reader.left > CELL_HELLO_MAX)
    reader.wrong = 1;
  skip(&reader, 2 + 32); /* version, random */
  skip(&reader, take_byte(&reader));
  skip(&reader, take_number(&reader, 2));
  skip(&reader, take_byte(&reader));
  named = reader.more || reader.wrong ? 0 : take_extensions(&reader, name);
  if (reader.wrong)
    return CELL_HELLO_MALFORMED;
  if (reader.more)
    return size < CELL_HELLO_MAX ? CELL_HELLO_MORE : CELL_HELLO_MALFORMED;
  return named ? CELL_HELLO_NAMED : CELL_HELLO_NAMELESS;
}
