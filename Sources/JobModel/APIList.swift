/// A page of a collection: `{"object": "list", "data": […], "has_more": …, "last_id": …}`.
public struct APIList<Element: Codable & Sendable>: Codable, Sendable {
  public let object: String
  public let data: [Element]
  public let hasMore: Bool
  /// What `?after=` takes to get the next page; nil when the page is empty.
  public let lastId: String?

  public init(data: [Element], hasMore: Bool = false, lastId: String? = nil) {
    self.object = "list"
    self.data = data
    self.hasMore = hasMore
    self.lastId = lastId
  }
}
