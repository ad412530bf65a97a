// Horizontal bars with labels, as inline SVG. Colours and text sizes come from the page's style
// sheet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchback::bench {

struct Bar {
  std::string label;
  std::string value_text;
  double value = 0;
  int series = 0;  // 0..3: CSS class s0..s3
};

struct BarChart {
  std::string title;
  bool is_logarithmic = false;  // for latencies, which differ by powers of ten
  std::vector<Bar> bars;
};

// The `svg` element. Bars that are not above zero have no length.
std::string RenderSvg(const BarChart& chart);

// Text for an element or a quoted attribute.
std::string EscapeXml(std::string_view text);

}  // namespace switchback::bench
