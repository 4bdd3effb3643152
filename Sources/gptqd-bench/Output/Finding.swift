/// What one benchmark found.
protocol Finding: Encodable, Sendable {
  /// Its member of the JSON document.
  var key: String { get }
  var heading: String { get }
  var table: TextTable { get }
  var goals: [Goal] { get }
}

extension Finding {
  var text: String { ([heading, table.text] + goals.map(\.text)).joined(separator: "\n") }
}
