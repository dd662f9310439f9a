# Seed 002, the notebook's cells. Added: the two functions around them and the argument on the
# command line, by which a test chooses the number of iterations. The Agg backend stands for
# `%matplotlib inline`. Python 3: print is a function, xrange is range.
import sys

import matplotlib
matplotlib.use('Agg')
import numpy as np
import matplotlib.pyplot as plt
import theano
import theano.tensor as T


def sigmoid_cells():
    x = T.matrix('x')
    s = 1 / (1 + T.exp(-x))
    sigmoid = theano.function([x], s, allow_input_downcast=True)

    out_3 = sigmoid([[ 0, 1],
             [-1,-2]])

    X = np.linspace(-6, 6, 100)
    X = X[np.newaxis,:]

    plt.figure(figsize=(12,5))

    plt.plot(X.flatten(), sigmoid(X).flatten(), linewidth=2)

    plt.grid('on')
    plt.yticks([0,0.5,1])

    ax = plt.gca()
    ax.spines['right'].set_color('none')
    ax.spines['top'].set_color('none')

    ax.yaxis.set_ticks_position('left')
    ax.spines['left'].set_position(('data', 0))

    plt.legend([r'$s(x)=\frac{1}{1+e^{-x}}$'], loc=0, fontsize=20)

    plt.show()

    s2 = (1 + T.tanh(x / 2)) / 2

    sigmoid2 = theano.function([x], s2)

    out_5 = sigmoid2([[ 0, 1],
              [-1,-2]])

    # The notebook shows the value of a cell by itself, a script has to print it.
    print(repr(out_3))
    print(repr(out_5))
    return locals()


def regression_cells(iterations=10001):
    rng = np.random

    N = 400
    feats = 784

    # D = (X, Y)
    D = (rng.randn(N, feats), rng.randint(size=N, low=0, high=2))

    x = T.matrix('x')
    y = T.vector('y')

    w = theano.shared(rng.randn(feats), name='w')
    b = theano.shared(0., name='b')
    w0 = w.get_value()  # kept for the test

    h = 1 / (1 + T.exp(-T.dot(x, w) - b))

    prediction = h > 0.5

    cost = - T.mean(y * T.log(h) + (1 - y) * T.log(1 - h)) + 0.01 * T.sum(w ** 2)
    gw, gb = T.grad(cost, [w, b])

    train = theano.function(inputs=[x, y],
                            outputs=cost,
                            updates=[[w, w - 0.1 * gw], [b, b - 0.1 * gb]],
                            allow_input_downcast=True)

    predict = theano.function(inputs=[x],
                              outputs=prediction,
                              allow_input_downcast=True)

    for i in range(iterations):
        err = train(D[0], D[1])
        if i % 1000 == 0:
            print('iter %5d, error %f' % (i, err))

    print(D[1])

    print(predict(D[0]))
    return locals()


if __name__ == '__main__':
    sigmoid_cells()
    regression_cells(*map(int, sys.argv[1:]))
