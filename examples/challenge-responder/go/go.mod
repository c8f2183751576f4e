module example.com/challenge

go 1.21
