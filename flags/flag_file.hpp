// The flags file: reading it whole, and changing one flag of it. The file is the truth; a person
// with a text editor may change it at any time.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "flags/flag_parser.hpp"

namespace switchback {

// ParseFlags() of the file's content. Blocks for the disk. Errors: those of ParseFlags, kNotFound
// (no file), kIo; all with the path.
Result<FlagMap> LoadFlagFile(const std::string& path);

struct FlagChange {
  bool enabled = false;
  // 0..100 with up to three decimals. Absent: an enabled flag is on for everybody, whatever the
  // file said before, but one with a targeting rule goes by it again; a disabled one keeps the
  // percentage, or the rule, that it has.
  std::optional<double> percentage = std::nullopt;
  // Asked before anything is changed, with the flag as the file holds it at that moment (null: it
  // holds none), while other callers wait. An error leaves the file alone and is the answer.
  std::function<Status(const FlagRule* flag)> may_change = {};
  // The flags for single collections are set alike where the file has any (kOverridePrefix).
  bool with_overrides = false;
};

// Sets one flag and leaves everything else in the file as it is: other members, their order, the
// flag's own salt and lists, the file's mode and owner. A flag written as a boolean stays one
// unless a percentage is given; one in flagd's form stays that: off is the state DISABLED, a share
// a `fractional` of the variants that are true and false, and a targeting rule that says more than
// a share is not replaced by one (kRefused). The file is made when there is none (mode 0644 less
// the umask; its folder must be there); a symbolic link is followed and stays. Durable on return,
// and at any moment readers find the old content or the new.
//
// Several processes may call this at once: they take turns at a lock on `.NAME.lock` beside the
// file, waiting at most 2 s. An editor that does not know the lock and saves meanwhile is noticed
// up to the rename (kBusy); its content stays.
// Errors: kInvalidArgument (name not [A-Za-z0-9_.@-]{1,128}, percentage, or the file is not valid
// now: it is left alone, since a correction might be under way), kTooLarge, kBusy (another writer,
// or the file changed meanwhile), kRefused (the owner cannot be kept, a rule), kNoSpace, kNotFound
// (no such folder, a dangling link), kIo.
Status SetFlagInFile(const std::string& path, const std::string& name, const FlagChange& change);

}  // namespace switchback
