/* cost getppid|udp: what a thousand system calls that no hook is for cost, or a thousand times socket,
 * connect and close over UDP. Prints the fewest nanoseconds of many tries: what interrupts and other tasks
 * add varies, and is left out by the fewest. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "getppid") == 0) {
    printf("%lld\n", fewest_of(call_getppid, 1000, 400));
  } else if (argc == 2 && strcmp(argv[1], "udp") == 0) {
    printf("%lld\n", fewest_of(connect_udp, 20, 2000));
  } else {
    fputs("usage: cost getppid|udp\n", stderr);
    return 2;
  }
  return 0;
}
