/* query.h -- one question to a name server, and the answer to it.
**
** The bytes are the sandbox's. Nothing here allocates or looks past the end.
*/
#ifndef CELL_QUERY_H
#define CELL_QUERY_H

#include "name.h"

#define CELL_QUERY_MAX 600   /* bytes of a query that is looked at */
#define CELL_QUERY_REPLY 900 /* room for any reply */

enum cell_query_code {
  CELL_QUERY_FINE = 0,
  CELL_QUERY_MALFORMED = 1,
  CELL_QUERY_FAILED = 2, /* try again */
  CELL_QUERY_NO_NAME = 3,
  CELL_QUERY_NOT_DONE = 4
};

struct cell_query {
  char name[CELL_NAME_SIZE]; /* canonical, or "" if it cannot be one */
  int wants_address;         /* an IPv4 one */
  int extended;              /* came with EDNS */
  size_t question;           /* bytes of header and question */
};

/* -1: not to be answered at all; else the code to answer with, unless it is
** FINE: then *query is filled.
*/
int cell_query_read(struct cell_query *query, const unsigned char *bytes,
                    size_t size);
/* The reply to the bytes that were read, with the four bytes of an address or
** without (NULL). Returns its size.
*/
size_t cell_query_reply(unsigned char reply[CELL_QUERY_REPLY],
                        const unsigned char *bytes,
                        const struct cell_query *query, int code,
                        const unsigned char *address);

#endif
