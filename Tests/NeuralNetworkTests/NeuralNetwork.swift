import Testing
@Test func placeholderNeuralNetwork() {}
