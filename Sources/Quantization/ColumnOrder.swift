/// The order in which a solver handles the columns of a layer, and the groups that share a grid.
package struct ColumnOrder: Sendable, Hashable {
  /// Columns of the weight in processing order.
  package let columns: [Int]
  /// The groups in processing order.
  package let groups: [Group]

  package struct Group: Sendable, Hashable {
    /// Positions in processing order.
    package let positions: Range<Int>
    /// Row of `scales` and `zeros` in the checkpoint.
    package let index: Int
  }

  /// - Parameter importance: H_jj of every column; ties keep the lower column first.
  package init(_ ordering: QuantizationOptions.ColumnOrdering, importance: [Double], groupLength: Int) {
    let count = importance.count
    func fallingImportance(_ one: Int, _ other: Int) -> Bool {
      (importance[one], -one) > (importance[other], -other)
    }
    let natural = stride(from: 0, to: count, by: groupLength).map { $0..<min(count, $0 + groupLength) }
    switch ordering {
    case .none:
      columns = Array(0..<count)
      groups = natural.enumerated().map { Group(positions: $1, index: $0) }
    case .descendingActivation:
      columns = (0..<count).sorted(by: fallingImportance)
      groups = natural.enumerated().map { Group(positions: $1, index: $0) }
    case .groupAware:
      let sorted = natural.enumerated().map { (index: $0, columns: $1.sorted(by: fallingImportance)) }
      let ordered = sorted.sorted { fallingImportance($0.columns[0], $1.columns[0]) }
      columns = ordered.flatMap(\.columns)
      var groups: [Group] = []
      for group in ordered {
        let start = groups.last?.positions.upperBound ?? 0
        groups.append(Group(positions: start..<start + group.columns.count, index: group.index))
      }
      self.groups = groups
    }
  }

  /// For every column of the weight, the group whose grid it has.
  package var groupIndices: [Int32] {
    var indices = [Int32](repeating: 0, count: columns.count)
    for group in groups {
      for position in group.positions { indices[columns[position]] = Int32(group.index) }
    }
    return indices
  }
}
