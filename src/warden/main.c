/* main.c -- the executable of stem, wardens and relay: its role is in argv[0].
 */
#include "priority.h"
#include "relay.h"
#include "stem/stem.h"

#include <string.h>
#include <sys/resource.h>

/* Descriptors on their way in messages are counted for all processes of a user
** and compared with the limit of the sender: with ours above that of any code
** in a sandbox, none can keep us from passing any. And how large a file of the
** host may be says nothing of those in a sandbox.
*/
static void raise_limit(int resource)
{
  struct rlimit limit;

  if (getrlimit(resource, &limit) < 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(resource, &limit);
}

int main(int argc, char **argv)
{
  static const char stem[] = "codecell-stem";
  static const char relay[] = "codecell-relay";

  if (argc >= 1 && strncmp(argv[0], relay, sizeof relay - 1) == 0)
    return relay_run();
  if (argc < 1 || strncmp(argv[0], stem, sizeof stem - 1) != 0)
    return 127;
  raise_limit(RLIMIT_NOFILE);
  raise_limit(RLIMIT_FSIZE);
  priority_give_up();
  return stem_run(argv[0], strlen(argv[0]));
}
