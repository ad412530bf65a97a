// What `switchback top` shows, as lines of text: a pure function of what was sampled and of the
// screen's size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/cli/top/top_sample.hpp"
#include "service/role.hpp"

namespace switchback {

enum class TopStyle : std::uint8_t { kPlain, kTitle, kHead, kWarning, kBad };
enum class TopSort : std::uint8_t { kName, kRate, kP99 };

struct TopLine {
  std::string text;  // printable ASCII, as wide as the screen at most
  TopStyle style = TopStyle::kPlain;
};

struct TopView {
  std::size_t columns = 80;
  std::size_t rows = 24;                     // 0 = as many as it takes
  std::optional<Role> focus = std::nullopt;  // only this role's operations, in more detail
  TopSort sort = TopSort::kName;             // of the operations
  bool is_paused = false;
  bool is_help = false;
  bool has_keys = true;      // the last line names the keys
  std::string server = {};   // where it is
  std::string trouble = {};  // why there is no newer sample; "" = it is the newest
};

// `sample` null: there was none yet.
std::vector<TopLine> TopFrame(const TopSample* sample, const TopView& view);

}  // namespace switchback
