#include <sys/prctl.h>

#include <cstring>
#include <sstream>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

struct ArgumentArea {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

// arg_start and arg_end, the 48th and 49th field of stat; what stands behind comm begins with the third.
ArgumentArea argument_area() {
  const std::string stat = slurp("/proc/self/stat");
  std::istringstream fields{stat.substr(stat.rfind(')') + 2)};
  std::string skipped;
  for (int field = 3; field < 48; ++field) fields >> skipped;
  ArgumentArea area;
  if (!(fields >> area.begin >> area.end) || area.begin == 0) die("no arg_start in /proc/self/stat");
  return area;
}

}  // namespace

void disguise_deed(const Options & /*options*/, Report & /*report*/) {
  const ArgumentArea area = argument_area();
  std::memset(reinterpret_cast<void *>(area.begin), 'x', area.end - area.begin - 1);
  if (prctl(PR_SET_NAME, "innocent") != 0) die("PR_SET_NAME");
}

}  // namespace iptrackd::oracle
