#include "server/flag_judge.hpp"

#include "common/log.hpp"
#include "flags/share.hpp"

namespace switchback {

void FlagJudge::OnLoad(const FlagSnapshot& snapshot) {
  if (snapshot.warning != warning_ && !snapshot.warning.empty())
    LogWarning("flags: {}; {}", snapshot.warning,
               snapshot.is_from_file ? "the last good ones stay in force" : "legacy answers");
  warning_ = snapshot.warning;

  const Status judged = service_.JudgeFlags();
  const std::string refusal = judged ? "" : judged.error().message;
  const bool is_new = snapshot.revision != revision_;
  if (is_new || refusal != refusal_) {
    const std::string share = FormatPercentage(snapshot.unified().share());
    if (!refusal.empty()) {
      LogWarning("flags revision {}: {} at {} % is refused: {}", snapshot.revision,
                 kUnifiedFlagName, share, refusal);
    } else {
      LogInfo("flags revision {}: {} at {} %", snapshot.revision, kUnifiedFlagName, share);
    }
  }
  revision_ = snapshot.revision;
  refusal_ = refusal;
}

}  // namespace switchback
