/* cost getppid|udp [PID]: what a thousand system calls that no hook is for cost, or a thousand times socket,
 * connect and close over UDP. Prints the fewest nanoseconds of many tries: what interrupts and other tasks
 * add varies, and is left out by the fewest. With PID, the daemon's, then what that process has run for in
 * all the tries and until it is quiet again, by the thousand: what follows an event is a cost of it too. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void call_getppid(void) {
  syscall(SYS_getppid);
}

static void connect_udp(void) {
  const struct sockaddr_in name = {
      .sin_family = AF_INET, .sin_port = htons(4444), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
  connect(socket_fd, (const struct sockaddr *)&name, sizeof(name));
  close(socket_fd);
}

/* Of a thousand deeds, by DEEDS at a time. */
static long long fewest_of(void (*deed)(void), int deeds, int tries) {
  long long fewest = -1;
  for (int try = 0; try < tries; ++try) {
    const long long begin = now_ns();
    for (int each = 0; each < deeds; ++each) deed();
    const long long taken = now_ns() - begin;
    if (fewest < 0 || taken < fewest) fewest = taken;
  }
  return fewest * (1000 / deeds);
}

static long long processor_ns(clockid_t clock) {
  struct timespec used = {0};
  clock_gettime(clock, &used);
  return used.tv_sec * 1000000000LL + used.tv_nsec;
}

/* Until it has nothing left to do: its threads only look whether there is anything. */
static void wait_until_quiet(clockid_t clock) {
  const long long quiet_ns = 200000000;
  long long before;
  do {
    before = processor_ns(clock);
    sleep(1);
  } while (processor_ns(clock) - before > quiet_ns);
}

/* TRIES times DEEDS, and what PROCESS had to do with it; 0: none is asked for. */
static int measure(void (*deed)(void), int deeds, int tries, pid_t process) {
  clockid_t clock = CLOCK_MONOTONIC;
  if (process != 0 && clock_getcpuclockid(process, &clock) != 0) {
    fputs("cost: there is no such process\n", stderr);
    return 1;
  }
  if (process != 0) wait_until_quiet(clock);
  const long long before = processor_ns(clock);
  printf("%lld", fewest_of(deed, deeds, tries));
  if (process != 0) {
    wait_until_quiet(clock);
    printf(" %lld", (processor_ns(clock) - before) * 1000 / deeds / tries);
  }
  putchar('\n');
  return 0;
}

int main(int argc, char **argv) {
  const pid_t process = argc == 3 ? atoi(argv[2]) : 0;
  if ((argc == 2 || argc == 3) && strcmp(argv[1], "getppid") == 0) {
    return measure(call_getppid, 1000, 400, process);
  }
  if ((argc == 2 || argc == 3) && strcmp(argv[1], "udp") == 0) return measure(connect_udp, 20, 2000, process);
  fputs("usage: cost getppid|udp [PID]\n", stderr);
  return 2;
}
