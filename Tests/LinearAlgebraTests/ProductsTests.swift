import LinearAlgebra
import Synchronization
import Testing

@Suite struct ProductsTests {
  /// Sums of some dozens of products between −1 and 1 in float64.
  private static let tolerance = 1e-12

  @Test("A product is the naive triple loop's", arguments: [(1, 1, 1), (3, 5, 2), (17, 33, 9), (64, 16, 48)])
  func multiplies(_ m: Int, _ n: Int, _ k: Int) {
    var random = RandomMatrix(seed: 1)
    let (a, b, start) = (random.matrix(m, k), random.matrix(k, n), random.matrix(m, n))
    var result = start
    a.withView { a in b.withView { b in result.withMutableView { multiply(a, by: b, scale: 2, into: $0, keeping: 0.5) } } }
    for row in 0..<m {
      for column in 0..<n {
        let expected = 2 * (0..<k).reduce(0) { $0 + a[row, $1] * b[$1, column] } + 0.5 * start[row, column]
        #expect(abs(result[row, column] - expected) < Self.tolerance)
      }
    }
  }

  @Test("Windows of larger matrices and transposes are taken where they are")
  func multipliesWindows() {
    var random = RandomMatrix(seed: 2)
    let (a, b) = (random.matrix(10, 12), random.matrix(9, 11))
    var result = Matrix<Double>(rows: 8, columns: 8)
    a.withView { a in
      b.withView { b in
        result.withMutableView {
          multiply(
            a[rows: 2..<6, columns: 3..<8], by: b[rows: 1..<4, columns: 5..<10], .transposed, into: $0[rows: 4..<8, columns: 1..<4])
        }
      }
    }
    for row in 0..<8 {
      for column in 0..<8 {
        let inside = (4..<8).contains(row) && (1..<4).contains(column)
        let expected = inside ? (0..<5).reduce(0) { $0 + a[row - 2, $1 + 3] * b[column, $1 + 5] } : 0
        #expect(abs(result[row, column] - expected) < Self.tolerance)
      }
    }
  }

  @Test("The Gram matrix adds XᵀX to the upper triangle and leaves the lower one")
  func addsGram() {
    var random = RandomMatrix(seed: 3)
    let x = random.matrix(20, 6)
    var sum = Matrix<Double>(rows: 6, columns: 6, elements: [Double](repeating: 7, count: 36))
    x.withView { x in sum.withMutableView { addGram(of: x, to: $0) } }
    for row in 0..<6 {
      for column in 0..<6 {
        let product = (0..<20).reduce(0) { $0 + x[$1, row] * x[$1, column] }
        #expect(abs(sum[row, column] - (column >= row ? 7 + product : 7)) < Self.tolerance)
      }
    }
  }

  @Test("Solving undoes multiplying by an upper triangular matrix or its transpose", arguments: [Orientation.asIs, .transposed])
  func solvesTriangular(_ orientation: Orientation) throws {
    var random = RandomMatrix(seed: 4)
    let factor = try ReverseCholesky(random.positiveDefinite(12)).factor
    let original = random.matrix(5, 12)
    var matrix = original
    matrix.withMutableView { matrix in
      factor.withView { factor in
        multiplyRight(matrix, byUpper: factor, orientation)
        solveRight(matrix, byUpper: factor, orientation)
      }
    }
    for (found, expected) in zip(matrix.elements, original.elements) { #expect(abs(found - expected) < 1e-10) }
  }

  @Test("A product on all cores is that on one, whatever the shapes", arguments: [(1, 1), (127, 129), (520, 600), (1030, 40)])
  func multipliesOnAllCores(_ rows: Int, _ columns: Int) {
    var random = RandomMatrix(seed: 6)
    let (a, b, c) = (random.matrix(30, rows), random.matrix(30, columns), random.matrix(rows, columns))
    var (one, all) = (c, c)
    a.withView { a in
      b.withView { b in
        one.withMutableView { multiply(a, .transposed, by: b, scale: 2, into: $0, keeping: 1) }
        all.withMutableView { multiplyOnAllCores(a, .transposed, by: b, scale: 2, into: $0, keeping: 1) }
      }
    }
    for (found, expected) in zip(all.elements, one.elements) { #expect(abs(found - expected) < 1e-10) }
  }

  @Test("Slices cover a range once, whatever its size", arguments: [0, 1, 15, 16, 17, 1000, 100_000])
  func slicesCover(_ count: Int) {
    let visits = (0..<count).map { _ in Atomic64() }
    forEachSlice(of: count, minimum: 16) { range in
      for index in range { visits[index].add() }
    }
    #expect(visits.allSatisfy { $0.value == 1 })
  }

  private final class Atomic64: Sendable {
    private let storage = Atomic<Int>(0)
    var value: Int { storage.load(ordering: .relaxed) }
    func add() { storage.add(1, ordering: .relaxed) }
  }
}
