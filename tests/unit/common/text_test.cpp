#include "common/text.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

TEST(Text, Utf8IsTold) {
  for (const char* good :
       {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(IsUtf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xff"})
    EXPECT_FALSE(IsUtf8(bad)) << bad;
}

TEST(Text, Base64OfTheRfc) {
  const std::pair<const char*, const char*> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), bytes);
  }
  EXPECT_EQ(DecodeBase64("/+8A"), std::string("\xff\xef\0", 3));
}

TEST(Text, OtherBase64IsRefused) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zh==", "=Zg=", "Zg==Zg==", "Zm9v\n", "Zm-v", "===="})
    EXPECT_FALSE(DecodeBase64(text).has_value()) << text;
}

}  // namespace
}  // namespace switchback
