/* The one definition of the maps and knobs that all hook families share. */
#define IPTRACKD_DEFINE_MAPS
#include "maps.h"

/* fentry, tp_btf and most helpers are for GPL-compatible programs only. */
char LICENSE[] SEC("license")
= "Dual BSD/GPL";
