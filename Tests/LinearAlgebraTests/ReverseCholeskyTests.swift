import LinearAlgebra
import Testing

@Suite struct ReverseCholeskyTests {
  @Test("R·Rᵀ of the upper triangle is the matrix, which stays below the diagonal", arguments: [1, 2, 7, 64, 256, 600])
  func factorsTheMatrix(_ size: Int) throws {
    let matrix = RandomMatrix(seed: UInt64(size)).positiveDefinite(size)
    let result = try ReverseCholesky(matrix)
    let factor = result.factor
    for row in 0..<size {
      #expect(factor[row, row] > 0)
      for column in 0..<row { #expect(factor[row, column] == matrix[row, column]) }
    }
    for row in 0..<size {
      for column in 0..<size {
        let sum = (max(row, column)..<size).reduce(0.0) { $0 + factor[row, $1] * factor[column, $1] }
        // Backward stable: the residual is of the order n·ε·‖H‖.
        #expect(abs(sum - matrix[row, column]) < 1e-12 * Double(size) * matrix[0, 0].magnitude + 1e-12)
      }
    }
    #expect(result.diagonal == matrix.diagonal)
    #expect(result.smallestPivot == factor.diagonal.min())
    #expect(result.reciprocalCondition > 0 && result.reciprocalCondition < 1 + 1e-12)
  }

  @Test("The reciprocal condition number of a diagonal matrix is that of its extremes")
  func estimatesCondition() throws {
    let matrix = Matrix<Double>(rows: 3, columns: 3, elements: [1, 0, 0, 0, 100, 0, 0, 0, 10])
    #expect(abs(try ReverseCholesky(matrix).reciprocalCondition - 0.01) < 1e-12)
  }

  @Test("An indefinite matrix names the failing minor, counted from the last column")
  func namesTheFailingMinor() throws {
    let matrix = Matrix<Float>(rows: 3, columns: 3, elements: [1, 0, 0, 0, -1, 0, 0, 0, 4])
    #expect(throws: FactorizationError.notPositiveDefinite(order: 2, smallestPivot: 2)) { try ReverseCholesky(matrix) }
  }

  @Test("The failing minor is counted through all panels", arguments: [1, 256, 257, 600])
  func namesTheFailingMinor(_ order: Int) throws {
    var matrix = Matrix<Double>(rows: 600, columns: 600)
    for index in 0..<600 { matrix[index, index] = index == 600 - order ? -1 : 4 }
    #expect(throws: FactorizationError.notPositiveDefinite(order: order, smallestPivot: order == 1 ? nil : 2)) {
      try ReverseCholesky(matrix)
    }
  }

  @Test("OpenBLAS says info 0 for NaN; the factor is refused all the same", arguments: [0, 5, 8])
  func refusesNaN(at position: Int) throws {
    var matrix = Matrix<Float>(rows: 3, columns: 3, elements: [4, 0, 0, 0, 4, 0, 0, 0, 4])
    matrix.elements[position] = .nan
    #expect(throws: FactorizationError.notFinite) { try ReverseCholesky(matrix) }
  }

  @Test("Overflow to infinity is refused")
  func refusesInfinity() throws {
    let matrix = Matrix<Float>(rows: 2, columns: 2, elements: [.infinity, 0, 0, 1])
    #expect(throws: FactorizationError.notFinite) { try ReverseCholesky(matrix) }
  }

  @Test("A matrix that is positive definite in float64 only fails in float32")
  func failsInFloat32() throws {
    let small = 1e-9
    let matrix = Matrix<Double>(rows: 2, columns: 2, elements: [1, 1 - small, 1 - small, 1])
    #expect(throws: Never.self) { try ReverseCholesky(matrix) }
    #expect(throws: FactorizationError.self) { try ReverseCholesky(Matrix<Float>(matrix)) }
  }
}
