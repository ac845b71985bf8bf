// Builds the record of iptrackd/pam_record.h from the environment that pam_exec made.
#ifndef IPTRACKD_PAM_CALLBACK_RECORD_H
#define IPTRACKD_PAM_CALLBACK_RECORD_H

#include "iptrackd/pam_record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct Record {
  uint8_t bytes[IPTRACKD_PAM_RECORD_MAX];
  size_t size;
  int64_t real_ns;  // of the header, for the name of a file that is left
};

// 0, or exit_no_pam_type or exit_other_pam_type. Nothing in ENVIRONMENT (as environ) is trusted.
int build_record(struct Record *record, char *const *environment);

#ifdef __cplusplus
}
#endif

#endif
