/// A part of the API: what the document has as a tag.
struct Area: Sendable {
  let name: String
  let description: String
  let operations: [Operation]
  /// That the operations refer to, by name.
  var schemas: KeyValuePairs<String, Schema> = [:]

  static let all: [Area] = [.jobs, .layers, .artifacts, .models, .datasets, .hub, .operation]
}
