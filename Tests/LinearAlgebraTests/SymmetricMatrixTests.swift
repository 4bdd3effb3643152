import LinearAlgebra
import Testing

@Suite struct SymmetricMatrixTests {
  /// Sizes with one tile, tiles of unequal sizes, and many.
  static let sizes = [1, 2, 5, 16, 131, 577, 1100]

  private func gram(_ x: Matrix<Float>) -> Matrix<Double> {
    let x = x.withView { Matrix<Double>($0) }
    var result = Matrix<Double>(rows: x.columns, columns: x.columns)
    x.withView { x in result.withMutableView { multiply(x, .transposed, by: x, into: $0) } }
    return result
  }

  @Test("Sums of XᵀX are those of a full matrix", arguments: sizes)
  func addsGrams(_ size: Int) {
    var generator = RandomMatrix(seed: 3)
    let x = Matrix<Float>(generator.matrix(40, size))
    let expected = gram(x)
    var sum = SymmetricMatrix(size: size)
    for rows in [0..<13, 13..<40, 40..<40] { x.withView { sum.addGram(of: $0[rows: rows]) } }
    sum.scale(by: 0.5)
    for row in 0..<size {
      // Products are taken in float32.
      for column in 0..<size { #expect(abs(2 * sum[row, column] - expected[row, column]) < 1e-3) }
    }
  }

  @Test("The permuted matrix has each entry where the order puts it", arguments: sizes)
  func permutes(_ size: Int) {
    var generator = RandomMatrix(seed: 4)
    var full = Matrix<Double>(rows: size, columns: size)
    for row in 0..<size { for column in 0..<size { full[row, column] = Double(min(row, column) * size + max(row, column)) } }
    let order = (0..<size).map { (_: Int) in generator.next() }.enumerated().sorted { $0.element < $1.element }.map(\.offset)
    let diagonal = (0..<size).map { Double($0) }
    let permuted: Matrix<Double> = SymmetricMatrix(full).permuted(order, diagonal: diagonal)
    for row in 0..<size {
      for column in 0..<size {
        #expect(permuted[row, column] == (row == column ? diagonal[order[row]] : full[order[row], order[column]]))
      }
    }
  }

  @Test("The bits don't depend on the number of cores")
  func isDeterministic() {
    var generator = RandomMatrix(seed: 5)
    let x = Matrix<Float>(generator.matrix(300, 577))
    func sum(cores: Int) -> SymmetricMatrix {
      Cores.perJob = cores
      defer { Cores.perJob = 0 }
      var sum = SymmetricMatrix(size: 577)
      x.withView { sum.addGram(of: $0) }
      return sum
    }
    let (one, many) = (sum(cores: 1), sum(cores: 7))
    for row in 0..<577 { #expect((0..<577).allSatisfy { one[row, $0] == many[row, $0] }) }
  }
}
