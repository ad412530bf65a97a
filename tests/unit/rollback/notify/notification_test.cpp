#include "rollback/notify/notification.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/journal.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

Notification Trip() {
  Notification notification;
  notification.id = "0123";
  notification.time = *ParseUtc("2026-11-21T10:00:00Z");
  notification.kind = "guard.trip";
  notification.severity = NotificationSeverity::kCritical;
  notification.title = "The guard has gone back";
  notification.text = "Errors of unified: 5 of 100 < 1 % & more.";
  notification.source = "host:/data";
  notification.detail = {{"bad", 5}};
  return notification;
}

TEST(Notification, IsOneLineOfJsonAndReadsBack) {
  const std::string json = NotificationJson(Trip());

  EXPECT_EQ(json.find('\n'), std::string::npos);
  const Json document = Json::parse(json);
  EXPECT_EQ(document["time"], "2026-11-21T10:00:00Z");
  EXPECT_EQ(document["severity"], "critical");
  EXPECT_EQ(document["detail"]["bad"], 5);
  const auto back = ParseNotification(json);
  ASSERT_TRUE(back);
  EXPECT_EQ(NotificationJson(*back), json);
}

TEST(Notification, BytesThatAreNoTextDoNotBreakIt) {
  Notification notification = Trip();
  notification.text = "a\xff z";

  EXPECT_TRUE(Json::accept(NotificationJson(notification)));
  EXPECT_TRUE(Json::accept(SlackJson(notification)));
}

TEST(Notification, ADetailThatIsTooLargeIsLeftOut) {
  Notification notification = Trip();
  notification.detail["keys"] = std::string(kNotificationDetailBytesMax, 'k');

  const Json document = Json::parse(NotificationJson(notification));

  EXPECT_GT(document["detail"]["left_out_bytes"], kNotificationDetailBytesMax);
  EXPECT_EQ(document["detail"].size(), 1u);
}

TEST(Notification, OtherTextIsNone) {
  for (const char* text : {"", "[]", "{}", R"({"id": "a", "kind": "b", "time": 5})", "{\"id\""})
    EXPECT_FALSE(ParseNotification(text)) << text;
}

TEST(Notification, SlackGetsATextWithItsMarkupEscaped) {
  const Json document = Json::parse(SlackJson(Trip()));

  EXPECT_EQ(document.size(), 1u);
  const auto text = document["text"].get<std::string>();
  EXPECT_THAT(text, HasSubstr("*[critical] The guard has gone back*"));
  EXPECT_THAT(text, HasSubstr("100 &lt; 1 % &amp; more."));
  EXPECT_THAT(text, HasSubstr("guard.trip at 2026-11-21T10:00:00Z by host:/data"));
}

TEST(Notification, IdsDiffer) {
  EXPECT_EQ(NewNotificationId().size(), 32u);
  EXPECT_NE(NewNotificationId(), NewNotificationId());
}

TEST(NotificationFilter, TakesNamesAndFamilies) {
  const NotificationFilter filter({"backup.result", "guard.*"});

  EXPECT_TRUE(filter.Wants("backup.result"));
  EXPECT_TRUE(filter.Wants("guard.trip"));
  EXPECT_TRUE(filter.Wants("guard.dry-run"));
  EXPECT_TRUE(filter.Wants("test"));
  EXPECT_FALSE(filter.Wants("restore.result"));
  EXPECT_TRUE(NotificationFilter().Wants("restore.result"));
}

TEST(NotificationFilter, WhatCanNeverMatchIsWrong) {
  for (const char* good : {"guard.*", "guard.trip", "verify.*"})
    EXPECT_TRUE(NotificationFilter::IsValid(good)) << good;
  for (const char* bad : {"", "guard", "guard.", "guard.tripp", "*.trip", "gaurd.*"})
    EXPECT_FALSE(NotificationFilter::IsValid(bad)) << bad;
}

}  // namespace
}  // namespace switchback
