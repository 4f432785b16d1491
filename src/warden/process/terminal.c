/* terminal.c -- see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PEER 0x5441 /* TIOCGPTPEER */

int terminal_resize(int master, uint32_t rows, uint32_t columns)
{
  struct winsize size;

  memset(&size, 0, sizeof size);
  size.ws_row = (unsigned short)(rows > 65535 ? 65535 : rows);
  size.ws_col = (unsigned short)(columns > 65535 ? 65535 : columns);
  return ioctl(master, TIOCSWINSZ, &size);
}

int terminal_open(int *master, int *slave, uint32_t rows, uint32_t columns)
{
  int unlocked = 0, number;

  *slave = -1;
  *master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master < 0)
    return -1;
  if (ioctl(*master, TIOCSPTLCK, &unlocked) == 0)
    *slave = ioctl(*master, PEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*slave >= 0 && terminal_resize(*master, rows, columns) == 0)
    return 0;
  number = errno;
  if (*slave >= 0)
    close(*slave);
  close(*master);
  *master = *slave = -1;
  errno = number;
  return -1;
}
