import Quantization
import Testing

@Suite struct ColumnOrderTests {
  private let importance: [Double] = [1, 5, 2, 2, 9, 0, 3]

  @Test func keepsTheOrder() {
    let order = ColumnOrder(.none, importance: importance, groupLength: 3)
    #expect(order.columns == [0, 1, 2, 3, 4, 5, 6])
    #expect(order.groups.map(\.positions) == [0..<3, 3..<6, 6..<7])
    #expect(order.groupIndices == [0, 0, 0, 1, 1, 1, 2])
  }

  @Test("desc_act sorts by falling importance, ties by column, and groups follow")
  func sortsAllColumns() {
    let order = ColumnOrder(.descendingActivation, importance: importance, groupLength: 3)
    #expect(order.columns == [4, 1, 6, 2, 3, 0, 5])
    #expect(order.groupIndices == [1, 0, 1, 1, 0, 2, 0])
  }

  @Test("act_group_aware sorts inside groups and among them, and keeps j / group size")
  func sortsWithinGroups() {
    let order = ColumnOrder(.groupAware, importance: importance, groupLength: 3)
    #expect(order.columns == [4, 3, 5, 1, 2, 0, 6])
    #expect(order.groups.map(\.index) == [1, 0, 2])
    #expect(order.groups.map(\.positions) == [0..<3, 3..<6, 6..<7])
    #expect(order.groupIndices == [0, 0, 0, 1, 1, 1, 2])
  }
}
