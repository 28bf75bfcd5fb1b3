"""A robot whose odometry drifts, corrected by poses from pictures: by map -> odom and in a Kalman filter."""
