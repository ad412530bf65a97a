#include "server/flag_judge.hpp"

#include "common/log.hpp"
#include "flags/share.hpp"

namespace switchback {

void FlagJudge::OnLoad(const FlagSnapshot& snapshot) {
  const Status judged = service_.JudgeFlags();
  const std::string refusal = judged ? "" : judged.error().message;
  const bool is_new = refusal != refusal_ || snapshot.revision != revision_;
  if (is_new && !refusal.empty()) {
    LogWarning("flags revision {}: {} at {} % is refused: {}", snapshot.revision, kUnifiedFlagName,
               FormatPercentage(snapshot.unified().share()), refusal);
  }
  revision_ = snapshot.revision;
  refusal_ = refusal;
}

}  // namespace switchback
