#include "server/intrusive_list.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server {
namespace {

struct Item : ListHook {
  explicit Item(int number_) : number(number_) {}
  int number;
};

std::vector<int> take_all(IntrusiveList<Item>& list) {
  std::vector<int> numbers;
  while (!list.empty()) {
    numbers.push_back(list.front().number);
    list.front().unlink();
  }
  return numbers;
}

TEST(IntrusiveListTest, KeepsTheOrder) {
  IntrusiveList<Item> list;
  EXPECT_TRUE(list.empty());
  Item one(1), two(2), three(3);
  for (Item* item : {&one, &two, &three}) list.push_back(*item);
  EXPECT_TRUE(two.linked());
  EXPECT_EQ(take_all(list), (std::vector{1, 2, 3}));
  EXPECT_FALSE(two.linked());
}

TEST(IntrusiveListTest, PushingAgainMovesToTheEnd) {
  IntrusiveList<Item> list;
  Item one(1), two(2);
  list.push_back(one);
  list.push_back(two);
  list.push_back(one);
  EXPECT_EQ(take_all(list), (std::vector{2, 1}));
}

TEST(IntrusiveListTest, AnElementIsInOneListOnly) {
  IntrusiveList<Item> left, right;
  Item one(1);
  left.push_back(one);
  right.push_back(one);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(take_all(right), std::vector{1});
}

TEST(IntrusiveListTest, ADestroyedElementLeaves) {
  IntrusiveList<Item> list;
  Item one(1), three(3);
  auto two = std::make_unique<Item>(2);
  for (Item* item : {&one, two.get(), &three}) list.push_back(*item);
  two.reset();
  EXPECT_EQ(take_all(list), (std::vector{1, 3}));
}

TEST(IntrusiveListTest, ADestroyedListLetsGo) {
  Item one(1);
  {
    IntrusiveList<Item> list;
    list.push_back(one);
  }
  EXPECT_FALSE(one.linked());
}

}  // namespace
}  // namespace fetchmill::server
