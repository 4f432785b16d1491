/* filter_names.h -- the headers whose macros the names in filter.table are.
**
** Never compiled: the build hands the output of `cc -E -dM` on this file to
** filter_generator, so the numbers are those of the machine built for.
*/
#include <errno.h>
#include <linux/resource.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
