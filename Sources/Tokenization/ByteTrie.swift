/// Byte strings with ids, for finding the longest that begins at a position.
struct ByteTrie: Sendable {
  private struct Edge: Hashable {
    let node: Int
    let byte: UInt8
  }

  private var rootEdges = [Int](repeating: 0, count: 0x100)
  private var edges: [Edge: Int] = [:]
  /// By node, the id of the string that ends there.
  private var ids: [Int32?] = [nil]

  /// Adds a string, which must not be empty. Of equal ones the first added counts.
  mutating func insert(_ string: [UInt8], id: Int32) {
    var node = 0
    for byte in string {
      if let child = child(of: node, byte) {
        node = child
        continue
      }
      ids.append(nil)
      if node == 0 { rootEdges[Int(byte)] = ids.count - 1 } else { edges[Edge(node: node, byte: byte)] = ids.count - 1 }
      node = ids.count - 1
    }
    ids[node] = ids[node] ?? id
  }

  private func child(of node: Int, _ byte: UInt8) -> Int? {
    guard node == 0 else { return edges[Edge(node: node, byte: byte)] }
    return rootEdges[Int(byte)] == 0 ? nil : rootEdges[Int(byte)]
  }

  func longestMatch(in bytes: [UInt8], at start: Int) -> (id: Int32, end: Int)? {
    var longest: (id: Int32, end: Int)?
    var node = 0
    var position = start
    while position < bytes.count, let child = child(of: node, bytes[position]) {
      node = child
      position += 1
      if let id = ids[node] { longest = (id, position) }
    }
    return longest
  }
}
