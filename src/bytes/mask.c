/* mask.c -- see mask.h.
**
** The values are a tree of bytes, whose nodes know where to go on when the next
** byte does not fit: at the longest end of what was read that begins a value
** too (Aho and Corasick). The depth of the node where a stream is says how much
** of it must be kept back.
*/
#include "mask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOT 0u
#define NONE 0u /* the root is no node's child */
#define FIRST_NODES 256u

struct node {
  uint32_t child, sibling;
  uint32_t fail;  /* where to go on when no child fits */
  uint32_t depth; /* bytes on the way from the root */
  uint32_t match; /* bytes of the longest value that ends here, or 0 */
  unsigned char byte;
};

struct cell_mask {
  unsigned references;
  size_t longest;
  uint64_t hidden; /* how often a value was replaced */
  uint32_t used, size;
  struct node *nodes;
  uint32_t first[256]; /* the children of the root by their bytes */
};

/* Bytes of a stream that do not come out, by their positions. */
struct span {
  uint64_t from, to;
};

struct cell_masking {
  struct cell_mask *mask;
  uint32_t state;      /* node */
  uint64_t at, from;   /* position in the stream, and of the first kept back */
  int hidden;          /* the byte before `from` was in a span */
  unsigned char *ring; /* `longest` bytes: what is kept back */
  struct span *spans;  /* ring of `room`: among what is kept back, in order */
  size_t room, oldest, count;
};

/* ---- the values ---- */

struct cell_mask *cell_mask_new(struct cell_error *error)
{
  struct cell_mask *mask = calloc(1, sizeof *mask);
  struct node *nodes = calloc(FIRST_NODES, sizeof *nodes);

  if (mask == NULL || nodes == NULL) {
    free(mask);
    free(nodes);
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "keep secrets");
    return NULL;
  }
  mask->references = 1;
  mask->nodes = nodes;
  mask->size = FIRST_NODES;
  mask->used = 1;
  return mask;
}

struct cell_mask *cell_mask_keep(struct cell_mask *mask)
{
  mask->references++;
  return mask;
}

void cell_mask_release(struct cell_mask *mask)
{
  if (mask == NULL || --mask->references > 0)
    return;
  free(mask->nodes);
  free(mask);
}

static uint32_t child_of(const struct cell_mask *mask, uint32_t node,
                         unsigned char byte)
{
  uint32_t child;

  if (node == ROOT)
    return mask->first[byte];
  child = mask->nodes[node].child;
  while (child != NONE && mask->nodes[child].byte != byte)
    child = mask->nodes[child].sibling;
  return child;
}

static int make_room(struct cell_mask *mask, size_t count)
{
  uint32_t size = mask->size;
  struct node *nodes;

  while (size - mask->used < count)
    size *= 2;
  if (size == mask->size)
    return 0;
  nodes = realloc(mask->nodes, size * sizeof *nodes);
  if (nodes == NULL)
    return -1;
  memset(nodes + mask->size, 0, (size - mask->size) * sizeof *nodes);
  mask->nodes = nodes;
  mask->size = size;
  return 0;
}

static uint32_t add_child(struct cell_mask *mask, uint32_t node,
                          unsigned char byte)
{
  uint32_t child = mask->used++;

  mask->nodes[child].byte = byte;
  mask->nodes[child].depth = mask->nodes[node].depth + 1;
  mask->nodes[child].sibling = mask->nodes[node].child;
  mask->nodes[node].child = child;
  if (node == ROOT)
    mask->first[byte] = child;
  return child;
}

int cell_mask_add(struct cell_mask *mask, const void *bytes, size_t length,
                  struct cell_error *error)
{
  const unsigned char *value = bytes;
  uint32_t node = ROOT;
  size_t i;

  if (length < CELL_MASK_VALUE_MIN)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "a secret has at least %u bytes: a shorter one would be "
                     "found everywhere",
                     CELL_MASK_VALUE_MIN);
  if (length > CELL_MASK_BYTES_MAX - mask->used)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "secrets have at most %u bytes in all",
                     CELL_MASK_BYTES_MAX);
  if (make_room(mask, length) < 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "keep secrets");
  for (i = 0; i < length; i++) {
    uint32_t child = child_of(mask, node, value[i]);

    node = child != NONE ? child : add_child(mask, node, value[i]);
  }
  mask->nodes[node].match = (uint32_t)length;
  if (length > mask->longest)
    mask->longest = length;
  return 0;
}

static uint32_t step(const struct cell_mask *mask, uint32_t node,
                     unsigned char byte)
{
  uint32_t child = child_of(mask, node, byte);

  while (child == NONE && node != ROOT) {
    node = mask->nodes[node].fail;
    child = child_of(mask, node, byte);
  }
  return child;
}

/* Nodes in the order of their depth, so that those are complete to which the
** failure of a node leads.
*/
int cell_mask_seal(struct cell_mask *mask, struct cell_error *error)
{
  uint32_t *order = malloc(mask->used * sizeof *order);
  uint32_t i, child, filled = 1;

  if (order == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "keep secrets");
  order[0] = ROOT;
  for (i = 0; i < filled; i++) {
    uint32_t parent = order[i];

    for (child = mask->nodes[parent].child; child != NONE;
         child = mask->nodes[child].sibling) {
      struct node *node = &mask->nodes[child];

      if (parent != ROOT)
        node->fail = step(mask, mask->nodes[parent].fail, node->byte);
      if (node->match == 0)
        node->match = mask->nodes[node->fail].match;
      order[filled++] = child;
    }
  }
  free(order);
  return 0;
}

/* ---- a stream ---- */

struct cell_masking *cell_masking_open(struct cell_mask *mask)
{
  struct cell_masking *masking = calloc(1, sizeof *masking);

  if (masking == NULL)
    return NULL;
  /* Spans do not touch one another, and none is shorter than a value. */
  masking->room = mask->longest / CELL_MASK_VALUE_MIN + 2;
  masking->ring = malloc(mask->longest + 1);
  masking->spans = calloc(masking->room, sizeof *masking->spans);
  masking->mask = cell_mask_keep(mask);
  if (masking->ring == NULL || masking->spans == NULL) {
    cell_masking_close(masking);
    return NULL;
  }
  return masking;
}

void cell_masking_close(struct cell_masking *masking)
{
  if (masking == NULL)
    return;
  free(masking->ring);
  free(masking->spans);
  cell_mask_release(masking->mask);
  free(masking);
}

static struct span *span_at(struct cell_masking *masking, size_t index)
{
  return &masking->spans[(masking->oldest + index) % masking->room];
}

/* The last `length` bytes are a value. */
static void hide(struct cell_masking *masking, uint32_t length)
{
  struct span added = {masking->at - length, masking->at};

  while (masking->count > 0 &&
         span_at(masking, masking->count - 1)->to >= added.from) {
    struct span *last = span_at(masking, --masking->count);

    if (last->from < added.from)
      added.from = last->from;
  }
  *span_at(masking, masking->count++) = added;
}

/* Let everything before `till` come out; returns the next place of `to`. */
static unsigned char *let_out(struct cell_masking *masking, uint64_t till,
                              unsigned char *to)
{
  size_t longest = masking->mask->longest;

  while (masking->from < till) {
    struct span *span = masking->count > 0 ? span_at(masking, 0) : NULL;

    if (span != NULL && span->from <= masking->from) {
      if (!masking->hidden) {
        memset(to, '*', 3);
        to += 3;
        masking->mask->hidden++;
      }
      masking->hidden = 1;
      masking->from = span->to < till ? span->to : till;
      if (masking->from == span->to) {
        masking->oldest = (masking->oldest + 1) % masking->room;
        masking->count--;
      }
    } else {
      masking->hidden = 0;
      *to++ = masking->ring[masking->from++ % longest];
    }
  }
  return to;
}

/* How many bytes begin no value, at a place where nothing is kept back. */
static size_t plain(const struct cell_mask *mask, const unsigned char *bytes,
                    size_t length)
{
  size_t count = 0;

  while (count < length && mask->first[bytes[count]] == NONE)
    count++;
  return count;
}

size_t cell_masking_feed(struct cell_masking *masking, const void *bytes,
                         size_t length, void *to)
{
  const struct cell_mask *mask = masking->mask;
  const unsigned char *next = bytes;
  const unsigned char *last = next + length;
  unsigned char *out = to;

  while (next < last) {
    const struct node *node;

    if (masking->state == ROOT) {
      size_t count = plain(mask, next, (size_t)(last - next));

      if (count > 0) {
        memcpy(out, next, count);
        out += count;
        next += count;
        masking->at = masking->from += count;
        masking->hidden = 0;
        continue;
      }
    }
    masking->ring[masking->at++ % mask->longest] = *next;
    masking->state = step(mask, masking->state, *next++);
    node = &mask->nodes[masking->state];
    if (node->match > 0)
      hide(masking, node->match);
    if (node->child == NONE) /* so that the ring has room for the next */
      masking->state = node->fail;
    out =
      let_out(masking, masking->at - mask->nodes[masking->state].depth, out);
  }
  return (size_t)(out - (unsigned char *)to);
}

size_t cell_masking_end(struct cell_masking *masking, void *to)
{
  unsigned char *out = let_out(masking, masking->at, to);

  masking->state = ROOT;
  masking->hidden = 0;
  return (size_t)(out - (unsigned char *)to);
}

/* ---- a text ---- */

uint64_t cell_mask_hidden(const struct cell_mask *mask)
{
  return mask->hidden;
}

size_t cell_mask_room(const struct cell_mask *mask, size_t length)
{
  return length + mask->longest + 8;
}

long cell_mask_hide(struct cell_mask *mask, const void *bytes, size_t length,
                    void *to)
{
  struct cell_masking *masking = cell_masking_open(mask);
  size_t count;

  if (masking == NULL)
    return -1;
  count = cell_masking_feed(masking, bytes, length, to);
  count += cell_masking_end(masking, (unsigned char *)to + count);
  cell_masking_close(masking);
  return (long)count;
}
