#include "server/bench/bar_chart.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace switchback::bench {
namespace {

constexpr double kWidth = 640;
constexpr double kLabelWidth = 150;
constexpr double kValueWidth = 110;
constexpr double kBarsWidth = kWidth - kLabelWidth - kValueWidth;
constexpr double kRowHeight = 22;
constexpr double kBarHeight = 14;

struct Scale {
  bool is_logarithmic;
  double smallest;
  double largest;

  [[nodiscard]] double LengthOf(double value) const {
    if (value <= 0 || largest <= 0) return 0;
    if (!is_logarithmic) return kBarsWidth * value / largest;
    // The axis begins a decade below the smallest bar, so that this one is still seen.
    const double begin = std::log10(smallest) - 1;
    return kBarsWidth * (std::log10(value) - begin) / (std::log10(largest) - begin);
  }
};

Scale ScaleOf(const BarChart& chart) {
  Scale scale{chart.is_logarithmic, 0, 0};
  for (const Bar& bar : chart.bars) {
    scale.largest = std::max(scale.largest, bar.value);
    if (bar.value > 0 && (scale.smallest == 0 || bar.value < scale.smallest))
      scale.smallest = bar.value;
  }
  return scale;
}

}  // namespace

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char character : text) {
    switch (character) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default:
        // Other control characters may not occur in XML at all.
        escaped += static_cast<unsigned char>(character) < ' ' ? ' ' : character;
    }
  }
  return escaped;
}

std::string RenderSvg(const BarChart& chart) {
  const Scale scale = ScaleOf(chart);
  const double height = kRowHeight * static_cast<double>(chart.bars.size());
  std::string svg =
      fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                  height, EscapeXml(chart.title));
  double top = 0;
  for (const Bar& bar : chart.bars) {
    const double length = scale.LengthOf(bar.value);
    const double baseline = top + kRowHeight / 2 + 4;
    svg += fmt::format("<text class=\"label\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>", kLabelWidth - 8,
                       baseline, EscapeXml(bar.label));
    svg += fmt::format(
        "<rect class=\"s{}\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\" "
        "rx=\"2\"/>",
        bar.series, kLabelWidth, top + (kRowHeight - kBarHeight) / 2, length, kBarHeight);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", kLabelWidth + length + 6,
                       baseline, EscapeXml(bar.value_text));
    top += kRowHeight;
  }
  return svg + "</svg>\n";
}

}  // namespace switchback::bench
