#include "app/activation.h"

#include <systemd/sd-daemon.h>

namespace iptrackd::app {

Result<Fd> inherited_fifo(const std::string &path) {
  const int count = sd_listen_fds(1);
  if (count < 0) return fail_errno("cannot take over what systemd holds for us", -count);
  Fd fifo;
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    Fd inherited{fd};
    if (sd_is_fifo(fd, path.c_str()) > 0 && !fifo) {
      fifo = std::move(inherited);
    } else {
      return fail(Fault::usage, "systemd hands over a descriptor that is not the FIFO " + path +
                                    "; pam.fifo-file and ListenFIFO= of iptrackd-pam.socket must agree");
    }
  }
  return fifo;
}

}  // namespace iptrackd::app
