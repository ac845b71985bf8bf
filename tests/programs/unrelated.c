/* unrelated: what a system call costs that no hook is for. Prints the fewest nanoseconds that a thousand
 * getppid() took in many tries: what interrupts and other tasks add varies, and is left out by the fewest. */
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { calls = 1000, tries = 400 };

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long try_once(void) {
  const long long begin = now_ns();
  for (int call = 0; call < calls; ++call) syscall(SYS_getppid);
  return now_ns() - begin;
}

int main(void) {
  long long fewest = try_once();
  for (int try = 1; try < tries; ++try) {
    const long long taken = try_once();
    if (taken < fewest) fewest = taken;
  }
  printf("%lld\n", fewest);
  return 0;
}
